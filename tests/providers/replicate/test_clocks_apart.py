"""A lost submission is found, or honestly not known, whatever our wall clock shows and showed: no job runs twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.ids import IdFactory
from actors.kernel import VirtualClock
from actors.providers.base import ABSENT, UNKNOWABLE, Found, Submitted
from actors.providers.errors import OutcomeUnknown, RateLimited, Unavailable
from actors.providers.http_errors import retry_after
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import TOKEN, FakeReplicate, FakeTransport, Fault, FaultKind
from tests.providers import account as runtimes
from tests.providers.replicate.account import request

CREATE = "/v1/models/*/predictions"
STEPS = [timedelta(days=-400), timedelta(hours=-2), timedelta(minutes=40), timedelta(hours=2), timedelta(days=400)]


@attrs.define
class Apart:
    """A Replicate, and a wall clock of ours that shows something else."""

    root: Path
    ours: VirtualClock = attrs.field(factory=VirtualClock)
    theirs: VirtualClock = attrs.field(factory=VirtualClock)
    fake: FakeReplicate = attrs.field(init=False)
    ids: IdFactory = attrs.field(factory=IdFactory)

    def __attrs_post_init__(self) -> None:
        self.fake = FakeReplicate(self.theirs.now)

    def provider(self, *, root: bool = True, **options: Any) -> ReplicateProvider:
        """A process of ours."""
        chosen = ReplicateOptions(**{"token_input": "token", "settle_seconds": 0.0, **options})
        return ReplicateProvider(
            chosen, self.root if root else None, "replicate", self.ours.now, FakeTransport(self.fake), self.ours.steady
        )

    def key(self) -> str:
        """The key of a job that is accepted now."""
        return f"{self.ids.new(self.ours.now())}-1"

    async def submit(self, provider: ReplicateProvider, key: str, seconds: float = 100_000) -> Submitted:
        """Hand a long job over."""
        return await provider.submit(key, "token-" + key, provider.prepare(request(seconds=seconds)), {})

    async def lose(self, provider: ReplicateProvider, *, acts: bool = True, after: timedelta = timedelta()) -> str:
        """The key of a submission whose answer is lost; its job was accepted ``after`` before."""
        key = self.key()
        self.pass_by(after)
        self.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", CREATE, acts=acts))
        with pytest.raises(OutcomeUnknown):
            await self.submit(provider, key)
        return key

    async def find(self, provider: ReplicateProvider, key: str) -> Found:
        return await provider.find(key, "token-" + key)

    def pass_by(self, time: timedelta) -> None:
        """Time passes while nobody of us is there, or is asleep."""
        self.ours.suspend(time)
        self.theirs.suspend(time)

    def written(self) -> list[Path]:
        return sorted(self.root.glob("handed-over/*"))


@pytest.fixture
async def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Apart:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    return Apart(tmp_path)


@pytest.mark.parametrize("later", [timedelta(seconds=5), timedelta(minutes=30), timedelta(hours=5)], ids=str)
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
@pytest.mark.parametrize("by", STEPS, ids=str)
async def test_it_is_found_though_the_wall_clock_was_wrong_when_it_was_handed_over(
    apart: Apart, autojump_clock: MockClock, by: timedelta, restarted: bool, later: timedelta
) -> None:
    """And put right before the search, by a step that nobody noticed."""
    apart.ours.move(by)
    provider = apart.provider()
    key = await apart.lose(provider, after=timedelta(minutes=3))
    apart.ours.move(-by)
    apart.pass_by(later)
    found = await apart.find(apart.provider() if restarted else provider, key)
    assert isinstance(found, Submitted)
    assert found.handle["id"] == apart.fake.jobs()[0].id


@pytest.mark.parametrize("by", STEPS, ids=str)
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
async def test_it_is_found_though_the_wall_clock_went_wrong_afterwards(
    apart: Apart, autojump_clock: MockClock, by: timedelta, restarted: bool
) -> None:
    provider = apart.provider()
    key = await apart.lose(provider)
    apart.ours.move(by)
    apart.pass_by(timedelta(minutes=30))
    assert isinstance(await apart.find(apart.provider() if restarted else provider, key), Submitted)


@pytest.mark.parametrize("by", STEPS, ids=str)
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
async def test_what_is_not_there_is_surely_absent_by_a_wrong_clock_too(
    apart: Apart, autojump_clock: MockClock, by: timedelta, restarted: bool
) -> None:
    """So that a job is not left to a person only because our clock is wrong; old jobs of others are no doubt."""
    apart.fake.create("prediction", "somebody/else", "v", {"fake": {"seconds": 1}})
    apart.pass_by(timedelta(hours=3))
    apart.ours.move(by)
    provider = apart.provider()
    key = await apart.lose(provider, acts=False, after=timedelta(hours=2))
    apart.ours.move(-by)
    assert await apart.find(apart.provider() if restarted else provider, key) is ABSENT
    await apart.submit(provider, key)
    assert len(apart.fake.jobs()) == 2


@pytest.mark.parametrize("by", [timedelta(minutes=2), timedelta(minutes=50)], ids=str)
async def test_where_nothing_was_written_down_the_last_hour_is_searched(
    apart: Apart, autojump_clock: MockClock, by: timedelta
) -> None:
    """The job's id tells when it was accepted, by a clock that may have been ahead."""
    apart.ours.move(by)
    key = await apart.lose(apart.provider(root=False))
    apart.ours.move(-by)
    apart.pass_by(timedelta(minutes=59))
    assert isinstance(await apart.find(apart.provider(root=False), key), Submitted)


async def test_a_job_from_the_time_to_come_is_never_called_absent(apart: Apart, autojump_clock: MockClock) -> None:
    """A clock was ahead, nobody knows by how much."""
    apart.ours.move(timedelta(hours=3))
    key = apart.key()
    apart.ours.move(timedelta(hours=-3))
    assert await apart.find(apart.provider(root=False), key) is UNKNOWABLE


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
async def test_what_does_not_say_its_time_is_searched_and_never_called_empty(
    apart: Apart, autojump_clock: MockClock, restarted: bool
) -> None:
    apart.fake.dated = False
    provider = apart.provider()
    there, not_there = await apart.lose(provider), await apart.lose(provider, acts=False)
    provider = apart.provider() if restarted else provider
    assert isinstance(await apart.find(provider, there), Submitted)
    assert await apart.find(provider, not_there) is UNKNOWABLE


async def test_a_machine_that_slept_between_the_two_finds_it(apart: Apart, autojump_clock: MockClock) -> None:
    """What was heard before the sleep is no older than it is."""
    provider = apart.provider()
    await provider.check()
    apart.pass_by(timedelta(minutes=50))
    key = await apart.lose(provider)
    apart.pass_by(timedelta(hours=8))
    assert isinstance(await apart.find(provider, key), Submitted)


async def test_what_was_written_down_goes_when_the_rows_know_it(apart: Apart, autojump_clock: MockClock) -> None:
    provider = apart.provider()
    keys = [apart.key() for _ in range(3)]
    handles = {key: (await apart.submit(provider, key)).handle for key in keys}
    assert [path.stem for path in apart.written()] == keys
    await provider.observe_many({keys[0]: handles[keys[0]]})
    assert [path.stem for path in apart.written()] == keys[1:]
    await apart.provider().observe_many({keys[1]: handles[keys[1]]})
    await provider.forget(keys[2], handles[keys[2]])
    assert apart.written() == []


async def test_what_was_refused_leaves_nothing_written(apart: Apart, autojump_clock: MockClock) -> None:
    provider = apart.provider()
    handle = (await apart.submit(provider, apart.key())).handle
    apart.fake.inject(Fault(FaultKind.RATE_LIMITED, "POST", CREATE))
    key = apart.key()
    with pytest.raises(RateLimited):
        await apart.submit(provider, key)
    await provider.observe_many({apart.written()[0].stem: handle})
    assert apart.written() == []
    await apart.submit(provider, key)
    assert [path.stem for path in apart.written()] == [key]


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"kind": 3, "began": 7}', orjson.dumps({"began": "soon"})])
async def test_what_was_written_and_cannot_be_read_leaves_it_unknown(
    apart: Apart, autojump_clock: MockClock, content: bytes
) -> None:
    key = await apart.lose(apart.provider(), acts=False)
    apart.written()[0].write_bytes(content)
    assert await apart.find(apart.provider(), key) is UNKNOWABLE


async def test_nothing_is_handed_over_that_cannot_be_written_down(apart: Apart, autojump_clock: MockClock) -> None:
    (apart.root / "handed-over").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be written down before it is made"):
        await apart.submit(apart.provider(), apart.key())
    assert apart.fake.jobs() == []


async def test_a_list_whose_rest_cannot_be_read_does_not_say_that_it_ends(
    apart: Apart, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cursor that is too long, or an address without one, is no last page."""
    provider = apart.provider()
    key = await apart.lose(provider)
    for number in range(150):
        apart.fake.create("prediction", "somebody/else", "v", {"n": number})
    monkeypatch.setattr("actors.providers.replicate.api._LONGEST_CURSOR", 1)
    assert await apart.find(provider, key) is UNKNOWABLE


@pytest.mark.parametrize("by", [timedelta(hours=2), timedelta(days=400)], ids=str)
async def test_a_runtime_whose_clock_is_put_right_after_a_lost_answer_runs_the_job_once(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, by: timedelta
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    ours, theirs = VirtualClock(), VirtualClock()
    account = runtimes.Account(ours, FakeReplicate(theirs.now))
    ours.move(by)
    async with account.open(settle_seconds=0) as runtime:
        account.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", CREATE))
        account.fake.inject(Fault(FaultKind.SERVER_ERROR, "GET", "/v1/predictions", times=3))
        job = await account.submit("once", seconds=300)
        await trio.sleep(1)
        assert len(account.made()) == 1
        ours.move(-by)
        await trio.sleep(1000)
        assert (await runtime.jobs.get(job.job_id)).job.status.value == "completed"
    assert len(account.made()) == 1


@pytest.mark.parametrize("date", ["Mon, 01 Jan 99999999999999999999999 00:00:00 GMT", "Mon, 99 Jan 2024", "", "\x00"])
def test_a_date_that_is_none_is_no_error(date: str) -> None:
    assert retry_after({"retry-after": date, "date": date}, b"", datetime(2024, 1, 1, tzinfo=UTC)) is None
