"""A submission whose answer was lost: found by its token, surely absent, or honestly not known."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.ids import IdFactory
from actors.providers.base import ABSENT, UNKNOWABLE, Prepared, Submitted
from actors.providers.errors import OutcomeUnknown, ProviderError, RateLimited
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import FakeTransport, Fault, FaultKind, Form, RemoteJob
from tests.providers.replicate.account import Account, request

CREATE = "/v1/models/*/predictions"


def key_of(account: Account, **ago: float) -> str:
    """A submission key of a job that was accepted so long ago."""
    return f"{IdFactory().new(account.clock.now() - timedelta(**ago))}-1"


async def lose(
    account: Account, provider: ReplicateProvider, key: str, kind: FaultKind = FaultKind.LOST_ANSWER
) -> None:
    """Hand a job over, and lose the answer."""
    account.fake.inject(Fault(kind, "POST", CREATE))
    with pytest.raises(OutcomeUnknown):
        await account.submit(provider, key, seconds=1000)


async def test_a_lost_submission_is_found_with_its_state(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    await lose(account, provider, "key-1")
    found = await provider.find("key-1", "token-key-1")
    assert isinstance(found, Submitted)
    assert found.handle == {"kind": "prediction", "id": account.fake.jobs()[0].id}
    assert found.observation is not None


async def test_the_same_key_finds_a_lost_submission_instead_of_making_another(
    account: Account, autojump_clock: MockClock
) -> None:
    provider = account.provider()
    await lose(account, provider, "key-1")
    again = await account.submit(provider, "key-1", seconds=1000)
    assert again.existed
    assert len(account.fake.jobs()) == 1


async def test_another_process_finds_it_too(account: Account, autojump_clock: MockClock) -> None:
    """Nothing but key and token is needed; the search reaches back to when the job was accepted."""
    key = key_of(account, hours=5)
    await lose(account, account.provider(), key)
    await trio.sleep(600)
    assert isinstance(await account.provider().find(key, f"token-{key}"), Submitted)


async def test_what_nobody_accepted_is_surely_absent(account: Account, autojump_clock: MockClock) -> None:
    account.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", CREATE, acts=False))
    provider = account.provider()
    with pytest.raises(OutcomeUnknown):
        await account.submit(provider)
    await account.handles(provider, 3, seconds=10)
    assert await provider.find("key-1x", "another token") is ABSENT
    assert await provider.find("key-1", "token-key-1") is not UNKNOWABLE


async def test_not_found_means_nothing_while_the_request_may_be_on_its_way(
    account: Account, autojump_clock: MockClock
) -> None:
    """What was cut off here may arrive there a moment later; a start has the same doubt about what was before it."""
    account.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", CREATE, acts=False))
    provider = account.provider(settle_seconds=10)
    await trio.sleep(100)
    with pytest.raises(OutcomeUnknown):
        await account.submit(provider)
    with pytest.raises(ProviderError, match="too soon to be sure"):
        await provider.find("key-1", "token-key-1")
    await trio.sleep(10)
    assert await provider.find("key-1", "token-key-1") is ABSENT
    young = account.provider(settle_seconds=10)
    with pytest.raises(ProviderError, match="too soon to be sure"):
        await young.find(key_of(account, minutes=1), "of the process before")


async def test_a_submission_that_was_cancelled_here_is_settled_too(account: Account, autojump_clock: MockClock) -> None:
    """Our deadline passed while Replicate hung."""
    account.fake.inject(Fault(FaultKind.HANG, "POST", CREATE))
    provider = account.provider(settle_seconds=10)
    with trio.move_on_after(5):
        await account.submit(provider, seconds=1000)
    assert isinstance(await provider.find("key-1", "token-key-1"), Submitted)


async def test_a_job_whose_input_was_erased_may_be_ours(account: Account, autojump_clock: MockClock) -> None:
    """An hour after its end nobody can tell any more whose it was: a person decides, and nothing is made twice."""
    key = key_of(account, minutes=1)
    await lose(account, account.provider(), key)
    account.fake.jobs()[0].canceled_at = account.clock.now()
    await trio.sleep(3601)
    assert await account.provider().find(key, f"token-{key}") is UNKNOWABLE


async def test_jobs_of_before_the_hand_over_are_no_doubt(account: Account, autojump_clock: MockClock) -> None:
    """Erased ones that are older than ours are not ours."""
    await account.handles(account.provider(), 5, seconds=1)
    await trio.sleep(3 * 3600)
    assert await account.provider().find(key_of(account, minutes=5), "token") is ABSENT


async def test_a_search_ends_after_so_many_pages(account: Account, autojump_clock: MockClock) -> None:
    """And then says that it does not know."""
    for number in range(3100):
        account.fake.create("prediction", "somebody/else", "v", {"n": number})
    provider = account.provider()
    assert await provider.find(key_of(account, minutes=1), "token") is UNKNOWABLE
    assert len(account.fake.calls("GET", "/v1/predictions")) == 30


async def test_without_a_place_for_the_token_nobody_can_tell(account: Account, autojump_clock: MockClock) -> None:
    """No request is made for it: the answer would be a guess."""
    provider = account.provider(token_input=None)
    await lose(account, provider, "key-1")
    before = len(account.fake.requests)
    assert await provider.find("key-1", "token-key-1") is UNKNOWABLE
    assert len(account.fake.requests) == before


@pytest.mark.parametrize("form", Form, ids=str)
async def test_a_refusal_says_how_long_to_wait_wherever_it_stands(
    form: Form, account: Account, autojump_clock: MockClock
) -> None:
    """In Retry-After, in the body, in ratelimit-reset, or nowhere; the job was surely not accepted."""
    account.fake.inject(Fault(FaultKind.RATE_LIMITED, "POST", CREATE, form=form, seconds=7))
    provider = account.provider()
    with pytest.raises(RateLimited) as caught:
        await account.submit(provider)
    assert caught.value.retry_after == (None if form is Form.NOTHING else 7)
    assert account.fake.jobs() == []
    assert await account.submit(provider)
    assert len(account.fake.jobs()) == 1


async def test_the_token_travels_in_the_input_and_nowhere_else(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider(token_input="greenroom")
    prepared = provider.prepare(request(seconds=1))
    await provider.submit("key-1", "the-token", prepared, {})
    (job,) = account.fake.jobs()
    assert job.input["greenroom"] == "the-token"
    assert isinstance(prepared, Prepared)
    assert "greenroom" not in prepared.body["json"]["input"]
    assert _headers_without(job, account, "the-token")


def _headers_without(job: RemoteJob, account: Account, text: str) -> bool:
    assert job.webhook is None
    return all(text not in value for call in account.fake.requests for value in call.headers.values())


class Dated(FakeTransport):
    """Answers say when they were sent, by the fake's clock."""

    async def handle_async_request(self, request):
        answer = await super().handle_async_request(request)
        answer.headers["date"] = format_datetime(self.fake.now(), usegmt=True)
        return answer


def with_clock(account: Account, ahead: dict[str, timedelta], transport: type[FakeTransport]) -> ReplicateProvider:
    options = ReplicateOptions(token_input="token", settle_seconds=0.0)
    return ReplicateProvider(options, now=lambda: account.clock.now() + ahead["by"], transport=transport(account.fake))


async def test_a_job_handed_over_while_the_clock_was_ahead_is_found_after_it_was_put_right(
    account: Account, autojump_clock: MockClock
) -> None:
    """A job that is overlooked would be paid twice."""
    ahead = {"by": timedelta(hours=3)}
    provider = with_clock(account, ahead, FakeTransport)
    key = key_of(account, hours=-3)
    await lose(account, provider, key)
    await trio.sleep(300)
    ahead["by"] = timedelta()
    assert isinstance(await provider.find(key, f"token-{key}"), Submitted)
    assert isinstance(await with_clock(account, ahead, FakeTransport).find(key, f"token-{key}"), Submitted)


async def test_a_clock_that_is_ahead_all_the_time_hides_no_job(account: Account, autojump_clock: MockClock) -> None:
    ahead = {"by": timedelta(minutes=20)}
    key = key_of(account, minutes=-20)
    await lose(account, with_clock(account, ahead, Dated), key)
    await trio.sleep(300)
    assert isinstance(await with_clock(account, ahead, Dated).find(key, f"token-{key}"), Submitted)
    assert await with_clock(account, ahead, Dated).find(key, "another token") is ABSENT
