"""Which jobs of a provider are observed in a cycle, and what is logged about those that could not be read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import trio

from actors.jobs.records import Job, JobStatus, Observation, Phase, QueueStatus, Submission, SubmissionState
from actors.jobs.retry import FailureKind
from actors.jobs.series import Snapshot
from actors.ledger.observe import Recorded
from actors.poller.series_turns import WRITE_SECONDS
from actors.poller.statuses import Statuses
from actors.providers.base import Capabilities, Listing, Push, View
from actors.providers.breaker import BreakerState
from actors.providers.guard import Failure
from actors.testing import request

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@attrs.define
class Breaker:
    state: BreakerState = BreakerState.CLOSED
    retry_after: float = 0.0


class Provider:
    """Answers ``view`` to each request about jobs."""

    name = "other"

    def __init__(self, listing: Listing, view: View | Failure | None = None) -> None:
        self.capabilities = Capabilities(push=Push.NONE, listing=listing)
        self.breaker = Breaker()
        self.view = view
        self.asked: list[list[str]] = []

    async def observe_many(self, handles: dict[str, Any]) -> View | Failure:
        await trio.lowlevel.checkpoint()
        self.asked.append(list(handles))
        assert self.view is not None
        return self.view


class Store:
    series_bytes = 5_000


class Ledger:
    """Keeps series only while there is ``has_room``."""

    store = Store()

    def __init__(self) -> None:
        self.has_room = True
        self.written: list[list[str]] = []

    async def write(self, verb: Any, news: dict[str, Observation], handles: Any) -> list[Recorded]:
        await trio.lowlevel.checkpoint()
        self.written.append(list(news))
        return [Recorded("job", "c", (logging.INFO, f"noted {key}"), self.has_room) for key in news]


@attrs.define
class Clock:
    time: datetime = LONG_AGO + HOUR

    def now(self) -> datetime:
        return self.time


@attrs.frozen
class Row:
    """What is read of a job that was submitted."""

    key: str
    job: Any
    submission: Any
    entry_status: QueueStatus = QueueStatus.RUNNING


def row(key: str, updated_at: datetime = LONG_AGO) -> Any:
    job = Job(key, JobStatus.RUNNING, "other", "c" * 32, request(), updated_at, updated_at, started_at=updated_at)
    return Row(key, job, Submission(key, key, "t", SubmissionState.HANDED, updated_at, handle={}))


def statuses(provider: Provider, ledger: Any = None) -> Statuses:
    return Statuses(provider, ledger or Ledger(), Clock(), 30.0, lambda: 0.0)  # type: ignore[arg-type]


async def test_old_jobs_are_left_out_only_where_each_job_costs_a_request(autojump_clock: Any) -> None:
    old, new = row("old"), row("new", LONG_AGO + HOUR)
    for listing, numbers in ((Listing.NONE, [1, 1, 2, 1]), (Listing.ALL, [2] * 4), (Listing.PAGED, [2] * 4)):
        seen = statuses(Provider(listing))
        chosen = [seen.due([old, new]) for _ in range(4)]
        assert [len(some) for some in chosen] == numbers
        assert all(new in some for some in chosen)


async def test_a_job_whose_row_has_changed_is_old_no_more(autojump_clock: Any) -> None:
    """Its age counts from the change, and on trio's clock from the moment at which that was seen."""
    seen = statuses(Provider(Listing.NONE))
    seen.due([row("a")])
    changed = row("a", LONG_AGO + HOUR)
    assert seen.silent([changed], 3_600.0) == []
    await trio.sleep(3_599)
    assert seen.silent([changed], 3_600.0) == []
    await trio.sleep(1)  # the wall clock has not moved meanwhile
    assert seen.silent([changed], 3_600.0) == [changed]


async def test_a_silent_job_is_asked_about_once_in_that_time_and_none_where_there_is_no_safety_net(
    autojump_clock: Any,
) -> None:
    seen, job = statuses(Provider(Listing.ALL)), row("a")
    assert seen.silent([job], 0.0) == []
    assert seen.silent([job], 600.0) == [job]
    await trio.sleep(599)
    assert seen.silent([job], 600.0) == []
    await trio.sleep(1)
    assert seen.silent([job], 600.0) == [job]


@pytest.mark.parametrize("listing", [Listing.ALL, Listing.NONE])
async def test_a_job_that_alone_cannot_be_asked_about_is_warned_of_once(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture, listing: Listing
) -> None:
    caplog.set_level(logging.DEBUG, "actors.poller")
    seen = statuses(Provider(listing, Failure(FailureKind.OTHER, "not understood")))
    for _ in range(3):
        assert await seen.observe([row("a")]) == frozenset()
    said = [record for record in caplog.records if "could not be asked" in record.message]
    assert [record.levelname for record in said] == ["WARNING", "DEBUG", "DEBUG"]
    assert {record.message for record in said} == {"Provider other could not be asked: not understood"}


@pytest.mark.parametrize(
    ("listing", "view", "place"),
    [
        (Listing.ALL, View({}, failed={"a": "odd"}), "_take"),
        (Listing.NONE, Failure(FailureKind.OTHER, "odd"), "ask"),
    ],
)
async def test_a_job_that_was_not_read_is_told_of_at_debug_by_the_place_that_found_it(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture, listing: Listing, view: View | Failure, place: str
) -> None:
    caplog.set_level(logging.DEBUG, "actors.poller")
    assert await statuses(Provider(listing, view)).observe([row("a")]) == frozenset()
    (told,) = [record for record in caplog.records if "sync" in record.message]
    assert (told.levelname, told.message, told.funcName) == ("DEBUG", "Failed to sync job a: odd", place)
    assert (told.job_id, told.provider) == ("a", "other")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("beat", "jobs", "seconds"), [(30.0, 1, 0.0), (30.0, 5, 0.5), (1.0, 5, 0.5), (1.0, 10, 0.5)])
async def test_requests_about_single_jobs_are_spread_over_at_most_half_a_beat(
    autojump_clock: Any, beat: float, jobs: int, seconds: float
) -> None:
    """A tenth of a second before each where that is less; one that is alone waits for nobody."""
    provider = Provider(Listing.NONE, View())
    provider.capabilities = Capabilities(push=Push.NONE, listing=Listing.NONE, concurrent_calls=1)
    seen = Statuses(provider, Ledger(), Clock(), beat, lambda: 1.0)  # type: ignore[arg-type]
    began = trio.current_time()
    await seen.observe([row(f"j{number}") for number in range(jobs)])
    assert trio.current_time() - began == pytest.approx(seconds)
    assert len(provider.asked) == jobs


async def test_many_jobs_are_read_without_keeping_other_tasks_waiting(autojump_clock: Any) -> None:
    rows = [row(f"j{number}") for number in range(2_000)]
    view = View({one.key: Observation(Phase.RUNNING, "running") for one in rows})
    turns = [0]

    async def other() -> None:
        while True:
            turns[0] += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        assert len(await statuses(Provider(Listing.ALL, view)).observe(rows)) == 2_000
        nursery.cancel_scope.cancel()
    assert turns[0] >= 4


class Answered(Exception):
    """Whether the provider was ``reached``."""

    def __init__(self, reached: bool) -> None:
        self.reached = reached


@pytest.mark.parametrize(
    ("cause", "warnings"),
    [(None, 1), (ValueError("odd"), 1), (Answered(reached=True), 1), (Answered(reached=False), 3)],
)
async def test_a_provider_that_was_not_reached_is_warned_of_each_time_whatever_it_was_asked(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture, cause: Exception | None, warnings: int
) -> None:
    caplog.set_level(logging.WARNING, "actors.poller")
    seen = statuses(Provider(Listing.ALL, Failure(FailureKind.OTHER, "no answer", cause=cause)))
    for _ in range(3):
        await seen.observe([row("a")])
    assert len(caplog.records) == warnings


async def test_an_unknown_status_is_warned_of_once_until_it_is_another_one(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "actors.poller")
    provider = Provider(Listing.ALL)
    seen, job = statuses(provider), row("a")
    for status in ("odd", "odd", "odder"):
        provider.view = View({"a": Observation(Phase.UNKNOWN, status)})
        assert await seen.observe([job]) == {"a"}
    assert [(record.levelname, record.funcName) for record in caplog.records] == [
        ("WARNING", "_record"), ("DEBUG", "_record"), ("WARNING", "_record"),
    ]  # fmt: skip
    assert "unknown status 'odder', kept as running" in caplog.messages[-1]


@pytest.mark.parametrize("listing", [Listing.ALL, Listing.NONE])
async def test_a_provider_that_cannot_be_asked_about_several_is_one_warning_a_round(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture, listing: Listing
) -> None:
    """And none where its breaker has given one already."""
    caplog.set_level(logging.WARNING, "actors.poller")
    provider = Provider(listing, Failure(FailureKind.OTHER, "not understood"))
    seen, both = statuses(provider), [row("a"), row("b")]
    for _ in range(3):
        await seen.observe(both)
    assert len(caplog.records) == 3
    provider.breaker.state = BreakerState.HALF_OPEN
    await seen.observe(both)
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("room", "warnings"), [([True, False, False, True, False], [0, 1, 1, 1, 2]), ([False, False], [1, 1])]
)
async def test_series_without_room_are_one_warning_until_there_is_room_again(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture, room: list[bool], warnings: list[int]
) -> None:
    caplog.set_level(logging.WARNING, "actors.poller")
    ledger = Ledger()
    provider = Provider(Listing.ALL)
    seen = statuses(provider, ledger)
    warned = []
    for step, has_room in enumerate(room, 1):
        ledger.has_room = has_room
        series = Snapshot(step, ())
        provider.view = View({"a": Observation(Phase.RUNNING, "running", series=series)})
        await trio.sleep(WRITE_SECONDS)  # before, they are held back
        assert await seen.observe([row("a")]) == {"a"}
        warned.append(len(caplog.records))
    assert warned == warnings
    assert "series.max_bytes (5000) is reached" in caplog.records[0].message


async def test_series_that_grow_are_written_every_ten_seconds_and_not_with_each_observation(
    autojump_clock: Any,
) -> None:
    ledger, provider = Ledger(), Provider(Listing.ALL)
    seen = statuses(provider, ledger)
    for step in range(1, 21):
        provider.view = View({"a": Observation(Phase.RUNNING, "running", series=Snapshot(step, ()))})
        await seen.observe([row("a")])
        await trio.sleep(1)
    assert ledger.written == [["a"]] * 2


async def test_what_a_verdict_noted_names_its_job_and_the_place_that_recorded_it(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "actors.poller")
    view = View({"a": Observation(Phase.RUNNING, "running", cost_usd=2.0)})
    await statuses(Provider(Listing.ALL, view)).observe([row("a")])
    (noted,) = [record for record in caplog.records if record.message == "noted a"]
    assert (noted.job_id, noted.provider, noted.funcName) == ("job", "other", "_record")  # type: ignore[attr-defined]
