"""Looking at many jobs in few requests: pages where there are many, single questions for what is left."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import Phase
from actors.providers.errors import Auth, Unavailable
from actors.testing.fake_replicate import Fault, FaultKind, Script
from tests.providers.replicate.account import Account

LIST, GET = "/v1/predictions", "/v1/predictions/*"


def asked(account: Account, provider_calls_from: int) -> tuple[int, int]:
    """How many pages and how many single jobs were asked for since then."""
    calls = [call.path for call in list(account.fake.requests)[provider_calls_from:] if call.method == "GET"]
    return sum(path == LIST for path in calls), sum(path != LIST for path in calls)


async def test_many_jobs_cost_pages(account: Account, autojump_clock: MockClock) -> None:
    """250 of them: three pages, nothing else; and the next look asks only for what is young enough."""
    provider = account.provider()
    await account.submit(provider, "much-older", seconds=1)
    await trio.sleep(3600)
    handles = await account.handles(provider, 250, seconds=10_000)
    for _ in range(2):
        before = len(account.fake.requests)
        view = await provider.observe_many(handles)
        assert len(view.observations) == 250
        assert view.complete
        assert asked(account, before) == (3, 0)
    first, second = (account.fake.calls("GET", LIST)[number].target for number in (0, 3))
    assert "created_after" not in first
    assert "created_after" in second


async def test_one_job_is_asked_for_itself(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    handles = await account.handles(provider, 1, seconds=100)
    before = len(account.fake.requests)
    await provider.observe_many(handles)
    assert asked(account, before) == (0, 1)


async def test_old_jobs_behind_much_newer_ones_are_seen_all_the_same(
    account: Account, autojump_clock: MockClock
) -> None:
    """No job is lost behind the newest hundred: when pages show none, the rest are asked for one by one."""
    provider = account.provider()
    handles = await account.handles(provider, 3, seconds=100_000)
    for number in range(1500):
        account.fake.create("prediction", "somebody/else", f"v{number}", {"n": number})
    before = len(account.fake.requests)
    view = await provider.observe_many(handles)
    assert len(view.observations) == 3
    pages, single = asked(account, before)
    assert pages <= 3
    assert single == 3


async def test_what_no_page_shows_is_not_absent_before_it_was_asked_for(
    account: Account, autojump_clock: MockClock
) -> None:
    """Only Replicate's own 404 says that a job is not there."""
    provider = account.provider()
    handles = await account.handles(provider, 3, seconds=100)
    handles["lost"] = {"kind": "prediction", "id": "neverwas"}
    view = await provider.observe_many(handles)
    assert view.absent == {"lost"}
    assert len(view.observations) == 3


async def test_predictions_and_trainings_are_looked_at_together(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    handles = await account.handles(provider, 5, seconds=100)
    for number in range(5):
        training = account.fake.create("training", "ana/trainer", "v1", {"n": number}, destination="greenroom/mine")
        handles[f"training-{number}"] = {"kind": "training", "id": training.id}
    view = await provider.observe_many(handles)
    assert len(view.observations) == 10


async def test_a_handle_with_nothing_in_it_fails_its_own_job_only(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    handles = await account.handles(provider, 1, seconds=100)
    view = await provider.observe_many({**handles, "by-hand": {"name": "x"}, "evil": {"id": "../account"}})
    assert len(view.observations) == 1
    assert view.failed.keys() == {"by-hand", "evil"}


async def test_one_odd_object_on_a_page_fails_its_own_job_only(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    handles = await account.handles(provider, 4, seconds=100)
    odd, page_of = handles["key-2"]["id"], provider._api.page

    async def spoilt(kind: str, *rest: Any) -> Any:
        page = await page_of(kind, *rest)
        jobs = tuple({**job, "status": 7} if job["id"] == odd else job for job in page.jobs)
        return attrs.evolve(page, jobs=jobs)

    provider._api.page = spoilt  # type: ignore[method-assign]
    view = await provider.observe_many(handles)
    assert len(view.observations) == 3
    assert view.failed.keys() == {"key-2"}


async def test_pages_before_a_fault_are_good(account: Account, autojump_clock: MockClock) -> None:
    """The second page cannot be had: what the first showed is told, and the view says that it is not all."""
    provider = account.provider()
    handles = await account.handles(provider, 150, seconds=10_000)
    account.fake.inject(Fault(FaultKind.SERVER_ERROR, "GET", LIST, skip=1, times=None))
    view = await provider.observe_many(handles)
    assert len(view.observations) == 100
    assert not view.complete


@pytest.mark.parametrize(
    ("kind", "error"), [(FaultKind.SERVER_ERROR, Unavailable), (FaultKind.UNAUTHORIZED, Auth)], ids=str
)
@pytest.mark.parametrize("number", [1, 5])
async def test_a_look_that_shows_nothing_is_an_error(
    kind: FaultKind, error: type[Exception], number: int, account: Account, autojump_clock: MockClock
) -> None:
    """Of the provider, not of each job: somebody is told once."""
    provider = account.provider()
    handles = await account.handles(provider, number, seconds=100)
    account.fake.inject(Fault(kind, "GET", "/v1/predictions*", times=None))
    with pytest.raises(error):
        await provider.observe_many(handles)


async def test_a_provider_that_hangs_is_waited_for_a_bounded_time(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    handles = await account.handles(provider, 5, seconds=100)
    account.fake.inject(Fault(FaultKind.HANG, "GET", "/v1/predictions*", times=None))
    began = trio.current_time()
    with pytest.raises(Unavailable):
        await provider.observe_many(handles)
    assert trio.current_time() - began <= 16


async def test_an_unknown_status_is_kept_as_it_is_called(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    handles = await account.handles(provider, 1, seconds=100)
    account.fake.inject(Fault(FaultKind.UNKNOWN_STATUS, "GET", GET))
    view = await provider.observe_many(handles)
    seen = view.observations["key-0"]
    assert (seen.phase, seen.raw_status) == (Phase.UNKNOWN, "hibernating")


async def test_memory_is_of_the_jobs_that_are_asked_about(account: Account, autojump_clock: MockClock) -> None:
    """What has ended is forgotten with the next look."""
    provider = account.provider()
    handles = await account.handles(provider, 30, seconds=100)
    await provider.observe_many(handles)
    await provider.observe_many(dict(list(handles.items())[:2]))
    assert len(provider._observer._created) <= 2


@pytest.mark.parametrize("kind", [FaultKind.HUGE_BODY, FaultKind.GARBAGE], ids=str)
async def test_a_page_that_cannot_be_read_hides_nobody(
    kind: FaultKind, account: Account, autojump_clock: MockClock
) -> None:
    """One job of it may have left too much for a page: so each is asked for itself."""
    provider = account.provider()
    handles = await account.handles(provider, 5, seconds=100)
    account.fake.inject(Fault(kind, "GET", LIST, times=None))
    view = await provider.observe_many(handles)
    assert view.observations.keys() == handles.keys()
    assert view.complete


async def test_a_result_that_is_nested_without_end_costs_nothing_but_itself(
    account: Account, autojump_clock: MockClock
) -> None:
    """Its job and the others of the same look are seen to have ended."""
    provider = account.provider()
    nested: Any = "x"
    for _ in range(240):
        nested = [nested]
    handles = await account.handles(provider, 3, seconds=1)
    account.fake.script("ana/model", Script(output=nested))
    handles["deep"] = (await account.submit(provider, "deep", seconds=1)).handle
    await trio.sleep(5)
    view = await provider.observe_many(handles)
    assert {key: seen.phase for key, seen in view.observations.items()} == dict.fromkeys(handles, Phase.SUCCEEDED)
    assert view.observations["deep"].result == {"output": "nested too deeply to be kept here"}
