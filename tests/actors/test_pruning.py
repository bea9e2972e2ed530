"""Retention: ended jobs are kept so long and no longer, at their providers and here (C6). Weeks take a moment."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import attrs
import pytest
import trio
from sqlalchemy import func, select, update

from actors import pruner
from actors.jobs.ids import IdFactory, earliest
from actors.jobs.records import JobStatus
from actors.jobs.refusal import Refused
from actors.jobs.retention import kept_since
from actors.kernel import VirtualClock
from actors.ledger.limits import set_limit
from actors.providers.scripted import Fault, FaultKind, Refusal, ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.settings import Retention
from actors.store import InlineExecutor
from actors.store.schema import metadata
from actors.testing import request, running_runtime, seeded_sources, virtual_settings

DAYS = timedelta(days=1)
NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
KEPT_BY_JOB = ("jobs", "queue_entries", "submissions", "approvals", "events", "idempotency_keys", "lanes")


async def rows(runtime) -> dict[str, int]:
    """How many rows each of a job's tables has."""

    def query(connection):
        return {name: connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
                for name in KEPT_BY_JOB}  # fmt: skip

    return await runtime.ledger.read(query)


async def ended(world, number=1, **fields):
    """So many jobs that have run to their end."""
    jobs = [await world.submit(duration=5, **fields) for _ in range(number)]
    return [await world.runtime.wait(job.job_id) for job in jobs]


async def an_hour() -> None:
    """Until the pruner has looked at least once."""
    await trio.sleep(3601)


async def test_an_ended_job_goes_after_ninety_days_with_all_that_belongs_to_it(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open() as runtime:
        job = await world.submit(requires_approval="big", duration=5, idempotency_key="once")
        await runtime.approve(job.job_id, by="bo")
        await runtime.wait(job.job_id)
        world.clock.suspend(89 * DAYS)
        await an_hour()
        before = await rows(runtime)
        assert before["jobs"] == 1
        assert [run.forgotten for run in world.remote.runs] == [False]
        world.clock.suspend(2 * DAYS)
        await an_hour()
        assert set((await rows(runtime)).values()) == {0}
        assert [run.forgotten for run in world.remote.runs] == [True]
        with pytest.raises(Refused, match="there is no job"):
            await runtime.jobs.get(job.job_id)
    lines = [record for record in caplog.records if record.name == "actors.pruner"]
    assert [record.getMessage().split(" that")[0] for record in lines] == ["Removed 1 jobs"]
    assert (lines[0].jobs, lines[0].events, lines[0].kept) == (1, before["events"], 0)


async def test_the_first_look_comes_a_minute_after_the_start_and_then_one_an_hour(autojump_clock, world, monkeypatch):
    looks = []

    async def look(*_arguments, **_options):
        looks.append(trio.current_time() - start)

    monkeypatch.setattr(pruner, "prune", look)
    start = trio.current_time()
    async with world.open():
        await trio.sleep(2 * 3600 + 90)
    assert looks == pytest.approx([60, 3660, 7260])


async def test_for_0_days_jobs_are_kept_for_ever(autojump_clock, world):
    settings = attrs.evolve(virtual_settings(), retention=Retention(0))
    parts = Parts(clock=world.clock, in_memory=True, sources=seeded_sources(1),
                  providers=[ScriptedProvider(ScriptedOptions(), world.remote)])  # fmt: skip
    async with running_runtime(settings=settings, parts=parts) as world.runtime:
        await ended(world)
        world.clock.suspend(20 * 365 * DAYS)
        await an_hour()
        assert (await rows(world.runtime))["jobs"] == 1
        result = await world.runtime.jobs.prune()
        assert (result.before, result.jobs) == (None, 0)


async def test_a_dry_run_says_what_would_go_and_removes_nothing(autojump_clock, world):
    async with world.open() as runtime:
        first, *_ = await ended(world, 3)
        world.clock.suspend(91 * DAYS)
        await ended(world)
        before = await rows(runtime)
        told = await runtime.jobs.prune(dry_run=True)
        assert await rows(runtime) == before
        assert world.remote.calls_of("forget") == []
        done = await runtime.jobs.prune()
        assert (told.jobs, told.oldest) == (3, first.completed_at)
        assert (done.jobs, done.events, done.oldest) == (told.jobs, told.events, told.oldest)
        after = await rows(runtime)
        assert (after["jobs"], after["events"]) == (1, before["events"] - told.events)


async def test_what_has_not_ended_is_never_touched_however_old(autojump_clock, world):
    async with world.open() as runtime:
        running = await world.submit(duration=400 * 86400)
        blocked = await world.submit(requires_approval="big", duration=5, user_id="bo")
        await trio.sleep(1)
        await runtime.ledger.write(set_limit, "per_user", 1, by=None)
        waiting = await world.submit(duration=5)
        before = await rows(runtime)
        runtime.clock.suspend(91 * DAYS)
        result = await runtime.jobs.prune()
        assert (result.jobs, result.kept) == (0, 0)
        assert await rows(runtime) == before
        statuses = {job.job_id: (await runtime.jobs.get(job.job_id)).job.status for job in (running, blocked, waiting)}
        assert not any(status is JobStatus.COMPLETED for status in statuses.values())


async def test_what_counts_is_when_a_job_ended_not_when_it_was_made(autojump_clock, world):
    async with world.open() as runtime:
        await runtime.queue.pause("scripted", "for a while")
        job = await world.submit(duration=5)
        world.clock.suspend(100 * DAYS)
        await runtime.queue.resume("scripted")
        await runtime.wait(job.job_id)
        assert (await runtime.jobs.prune()).jobs == 0
        world.clock.suspend(91 * DAYS)
        assert (await runtime.jobs.prune()).jobs == 1


@pytest.mark.parametrize(
    ("table", "column", "value"), [("jobs", "status", "running"), ("submissions", "state", "unknown")]
)
async def test_rows_that_contradict_an_end_are_left_alone(autojump_clock, world, table, column, value):
    """A job that is active, or about which something remains to be done at its provider, has not ended, whatever it
    says of when."""
    async with world.open() as runtime:
        await ended(world)
        contradiction = update(metadata.tables[table]).values({column: value})
        await runtime.ledger.store.write(lambda tx: tx.connection.execute(contradiction))
        world.clock.suspend(91 * DAYS)
        assert (await runtime.jobs.prune(dry_run=True)).jobs == (await runtime.jobs.prune()).jobs == 0
        assert (await rows(runtime))["jobs"] == 1


async def test_a_job_that_waits_beside_a_removed_one_still_runs(autojump_clock, world):
    """The removed job's entry stood in the same lane; the lane's count is not disturbed."""
    async with world.open() as runtime:
        await ended(world)
        world.clock.suspend(91 * DAYS)
        await runtime.queue.pause("scripted", "for a while")
        waiting = await world.submit(duration=5)
        assert (await runtime.jobs.prune()).jobs == 1
        await runtime.queue.resume("scripted")
        assert (await runtime.wait(waiting.job_id)).status is JobStatus.COMPLETED


async def test_a_job_that_its_provider_cannot_forget_is_kept_for_the_next_time(autojump_clock, world, caplog):
    async with world.open() as runtime:
        kept, gone = await ended(world, 2)
        world.remote.inject(Fault(FaultKind.REFUSED, calls=("forget",), refusal=Refusal.CONFLICT))
        world.clock.suspend(91 * DAYS)
        result = await runtime.jobs.prune()
        assert (result.jobs, result.kept) == (1, 1)
        assert [view.job.job_id for view in await runtime.jobs.page()] == [kept.job_id]
        assert (await world.events(gone.job_id)) == []
        assert (await world.events(kept.job_id)) != []
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert warnings == ["1 old jobs are kept: scripted could not forget them"]
        again = await runtime.jobs.prune()
        assert (again.jobs, again.kept) == (1, 0)


async def test_a_provider_that_is_down_is_asked_once_not_for_each_job(autojump_clock, world):
    async with world.open() as runtime:
        await ended(world, 3)
        world.remote.inject(Fault(FaultKind.DOWN, calls=("forget",), times=None))
        world.clock.suspend(91 * DAYS)
        result = await runtime.jobs.prune()
        assert (result.jobs, result.kept) == (0, 3)
        assert len(world.remote.calls_of("forget")) == 1


async def test_jobs_of_a_provider_that_is_no_longer_configured_go_here_and_stay_there(autojump_clock, tmp_path, caplog):
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    settings = attrs.evolve(virtual_settings(), state_dir=tmp_path)

    def parts(*providers):
        return Parts(clock=clock, executor=InlineExecutor(), sources=seeded_sources(1), providers=providers)

    async with running_runtime(settings=settings, parts=parts(provider)) as runtime:
        job = await runtime.submit(request(duration=1))
        await runtime.wait(job.job_id)
    clock.suspend(91 * DAYS)
    async with running_runtime(settings=settings, parts=parts()) as runtime:
        assert (await runtime.jobs.prune(yes=True)).jobs == 1  # nothing had run for 91 days: without it, it is held
        assert set((await rows(runtime)).values()) == {0}
    assert [run.forgotten for run in provider.remote.runs] == [False]
    assert "1 old jobs were removed, not at scripted: it is not configured" in caplog.messages


async def test_events_that_follow_removed_ones_keep_their_numbers_and_readers_resume_by_them(autojump_clock, world):
    async with world.open() as runtime:
        await ended(world)
        last = (await world.events())[-1].seq
        world.clock.suspend(91 * DAYS)
        await runtime.jobs.prune()
        assert await world.events() == []
        async with runtime.events(after=last) as following:
            await world.submit(duration=5)
            assert (await anext(following)).seq == last + 1


async def test_idempotency_keys_that_no_longer_bind_go_even_where_jobs_are_kept(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(pruner, "BATCH", 2)
    async with world.open() as runtime:
        for number in range(5):
            await world.submit(duration=5, idempotency_key=f"key-{number}")
        world.clock.suspend(DAYS)
        young = await world.submit(duration=5, idempotency_key="young")
        await an_hour()
        left = await rows(runtime)
        assert (left["idempotency_keys"], left["jobs"]) == (1, 6)
        assert (await world.submit(duration=5, idempotency_key="young")).job_id == young.job_id


def test_more_days_than_there_is_history_are_for_ever() -> None:
    assert kept_since(NOW, 1) == NOW - DAYS
    assert kept_since(NOW, 10**6) is None
    assert kept_since(NOW, 10**12) is None


def test_an_id_of_a_moment_is_not_less_than_the_earliest_one_and_less_than_the_next_millisecond() -> None:
    made = IdFactory().new(NOW)
    assert earliest(NOW) <= made < earliest(NOW + timedelta(milliseconds=1))
