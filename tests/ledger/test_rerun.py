"""Jobs that run again: the way from one attempt to the next, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import Job, JobStatus, QueueStatus, Rerun
from actors.providers.base import Push
from actors.providers.scripted import Fault, FaultKind, Refusal, ScriptedOptions
from tests.runtime_fixtures import World

TWICE = Rerun(2, delay=30.0)


async def interrupted(world: World, number: int = 0) -> None:
    """Wait until run ``number`` is there, then end it from outside."""
    while len(world.remote.runs) <= number:  # noqa: ASYNC110 - a provider's records, which wake nobody
        await trio.sleep(1)
    await trio.sleep(2)
    assert world.remote.interrupt(world.remote.runs[number], "preempted")


async def kinds(world: World, job: Job) -> list[str]:
    return [event.type for event in await world.events(job.job_id) if event.type != "job_handed_over"]


async def test_an_interrupted_job_waits_and_runs_again_under_a_new_key(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 100.0, "interruptions": 1}, rerun=TWICE)
        await trio.sleep(60)
        waiting = await runtime.jobs.get(job.job_id)
        assert (waiting.job.status, waiting.entry.status) == (JobStatus.PENDING, QueueStatus.PENDING)
        assert (waiting.job.started_at, waiting.job.error_message, waiting.job.exit_code) == (None, None, None)
        assert waiting.reason == "runs again at 10:31:20 UTC: preempted as scripted"
        assert not await runtime.queue.is_idle()
        ended = await runtime.wait(job.job_id)
        assert ended.status is JobStatus.COMPLETED
        view = await runtime.jobs.get(job.job_id)
    first, second = world.remote.runs
    assert [first.key, second.key] == [f"{job.job_id}-1", f"{job.job_id}-2"]
    assert (second.submitted_at - first.submitted_at).total_seconds() == pytest.approx(80, abs=1)
    assert (first.context["attempt"], "previous_key" in first.context) == ("1", False)
    assert (second.context["attempt"], second.context["previous_key"]) == ("2", first.key)
    assert view.attempts is not None
    assert [(one.attempt, one.status, one.error_message) for one in view.attempts] == [
        (1, "interrupted", "lost: preempted as scripted"),
        (2, "completed", None),
    ]
    assert all(one.started_at and one.completed_at and one.closed_at for one in view.attempts)
    assert view.job.error_message is None
    assert view.entry.error_message is None


async def test_running_again_is_one_event_and_no_end(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 100.0, "interruptions": 1}, rerun=TWICE)
        await runtime.wait(job.job_id)
        assert await kinds(world, job) == [
            "job_queued", "job_dispatched", "job_status_changed", "job_rerun",
            "job_dispatched", "job_status_changed", "job_status_changed",
        ]  # fmt: skip
        (again,) = [event for event in await world.events(job.job_id) if event.type == "job_rerun"]
    words = ("pending", "interrupted", "preempted as scripted")
    assert tuple(again.data[name] for name in ("status", "end", "reason")) == words
    assert tuple(again.data[name] for name in ("attempt", "rerun", "times")) == (1, 1, 2)
    assert not again.is_end


async def test_a_job_runs_again_no_more_often_than_asked_and_waits_longer_each_time(
    autojump_clock: MockClock, world: World
) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 2.0, "interruptions": 9}, rerun=TWICE)
        ended = await runtime.wait(job.job_id)
    assert ended.status is JobStatus.FAILED
    assert ended.error_message == "lost: preempted as scripted"
    times = [run.submitted_at for run in world.remote.runs]
    assert [(later - earlier).total_seconds() for earlier, later in pairwise(times)] == [
        pytest.approx(31, abs=1),
        pytest.approx(61, abs=1),
    ]


@pytest.mark.parametrize(
    ("rerun", "runs"),
    [
        (Rerun(1), 1),
        (Rerun(1, ("failed",)), 2),
        (Rerun(1, exit_codes=(1,)), 2),
        (Rerun(1, exit_codes=(75,)), 1),
    ],
)
async def test_a_failure_of_the_program_runs_again_only_where_that_was_asked(
    autojump_clock: MockClock, world: World, rerun: Rerun, runs: int
) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 2.0, "result": "failed"}, rerun=rerun)
        assert (await runtime.wait(job.job_id)).status is JobStatus.FAILED
    assert len(world.remote.runs) == runs


async def test_a_deadline_runs_again_where_that_was_asked(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 99.0}, max_runtime=5.0, rerun=Rerun(1, ("timed_out",)))
        ended = await runtime.wait(job.job_id)
    assert (ended.error_message, len(world.remote.runs)) == ("deadline exceeded", 2)


async def test_what_was_asked_to_end_is_not_run_again(autojump_clock: MockClock, world: World) -> None:
    """The provider has not ended it yet when its node is lost."""
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 99.0, "cancel_time": 60.0}, rerun=TWICE)
        await trio.sleep(5)
        await runtime.cancel(job.job_id, by="ana")
        await interrupted(world)
        ended = await runtime.wait(job.job_id)
        await trio.sleep(300)
    assert ended.is_terminal
    assert len(world.remote.runs) == 1


async def test_a_job_that_waits_to_run_again_is_cancelled_at_once(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 99.0}, rerun=TWICE)
        await interrupted(world)
        await trio.sleep(5)
        assert (await runtime.cancel(job.job_id, by="ana")).status is JobStatus.CANCELLED
        await trio.sleep(300)
    assert len(world.remote.runs) == 1


async def test_max_attempts_counts_the_failed_hand_overs_of_one_run(autojump_clock: MockClock, world: World) -> None:
    """Two of three are spent before the interruption; after it there are three again, and the numbers run on."""
    refused = Fault(FaultKind.REFUSED, ("submit",), times=2, refusal=Refusal.OTHER)
    async with world.open() as runtime:
        world.remote.inject(refused)
        job = await world.submit(spec={"duration": 50.0}, rerun=TWICE, max_attempts=3)
        await interrupted(world)
        world.remote.inject(refused)
        ended = await runtime.wait(job.job_id)
        view = await runtime.jobs.get(job.job_id)
    assert ended.status is JobStatus.COMPLETED
    assert [run.key.rpartition("-")[2] for run in world.remote.runs] == ["3", "6"]
    assert view.attempts is not None
    assert [one.status for one in view.attempts] == [None, None, "interrupted", None, None, "completed"]
    assert world.remote.runs[1].context["previous_key"].endswith("-3")


async def test_a_run_whose_hand_overs_all_fail_ends_the_job(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 50.0}, rerun=TWICE, max_attempts=2)
        await interrupted(world)
        world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=None, refusal=Refusal.OTHER))
        assert (await runtime.wait(job.job_id)).status is JobStatus.FAILED
    assert len(world.remote.calls_of("submit")) == 3


async def test_what_is_uncertain_is_not_run_again_and_a_persons_word_ends_it(
    autojump_clock: MockClock, world: World
) -> None:
    async with world.open(options=ScriptedOptions(push=Push.NONE)) as runtime:
        job = await world.submit(spec={"duration": 5000.0}, rerun=TWICE)
        await trio.sleep(40)
        world.remote.runs[0].forgotten = True  # its provider denies it, and has no proof that it ended
        await trio.sleep(600)
        uncertain = await runtime.jobs.get(job.job_id)
        assert (uncertain.job.status, uncertain.job.uncertain_since is not None) == (JobStatus.RUNNING, True)
        ended = await runtime.jobs.settle(job.job_id, "failed", by="op")
        await trio.sleep(300)
    assert ended.status is JobStatus.FAILED
    assert len(world.remote.runs) == 1


async def test_logs_go_on_to_the_next_attempt_and_each_can_be_read_alone(
    autojump_clock: MockClock, world: World
) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec={"duration": 4.0, "progress": 2, "interruptions": 1}, rerun=TWICE)
        async with runtime.log_reader.follow(job.job_id) as pieces:
            followed = [piece async for piece in pieces]
        one, two = [await read(runtime, job, attempt=number) for number in (1, 2)]
        newest = await read(runtime, job)
        resumed = await read(runtime, job, cursor=followed[0][1])
        with pytest.raises(Exception, match=r"has no output of an attempt 3; its newest is 2"):
            await read(runtime, job, attempt=3)
        with pytest.raises(Exception, match=r"cursor: is one of attempt 1, not of 2"):
            await read(runtime, job, attempt=2, cursor="5")
    note = b"\n[attempt 1 ended (preempted as scripted); attempt 2 follows]\n"
    assert one.endswith(b"interrupted\n")
    assert two.endswith(b"completed\n")
    whole = b"".join(data for data, _ in followed)
    assert whole == one + note + two
    assert newest == two
    assert resumed == whole[len(followed[0][0]) :]


async def read(runtime: Any, job: Job, **where: Any) -> bytes:
    return b"".join([data async for data, _ in runtime.log_reader.read(job.job_id, **where)])
