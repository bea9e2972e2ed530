"""Cancels reach the provider until the job has ended; lost answers are settled under the job's key."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise

import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.jobs.refusal import Refused
from actors.providers.base import Idempotency, Push
from actors.providers.scripted import ScriptedOptions
from actors.providers.scripted.faults import Fault, FaultKind

SILENT = ScriptedOptions(push=Push.NONE)


async def test_a_queued_job_is_cancelled_at_once(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        job = await world.submit(duration=5)
        cancelled = await runtime.cancel(job.job_id, by="bo")
        assert (cancelled.status, cancelled.error_message) == (JobStatus.CANCELLED, "Cancelled by bo")
        with pytest.raises(Refused, match="already ended"):
            await runtime.cancel(job.job_id)
    assert world.remote.calls_of("submit") == []


async def test_a_running_job_is_asked_to_end_until_it_does(autojump_clock, world):
    """The provider forgets the request three times and is down for a while."""
    world.remote.inject(Fault(FaultKind.NEVER_ENDS, ("cancel",), times=2), Fault(FaultKind.DOWN, ("cancel",), times=1))
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(10)
        asked = await runtime.cancel(job.job_id, by="bo")
        assert (asked.status, asked.cancel_requested_at) == (JobStatus.RUNNING, world.clock.now())
        ended = await runtime.wait(job.job_id)
        assert ended.status is JobStatus.CANCELLED
        assert ended.completed_at - asked.cancel_requested_at <= timedelta(seconds=30)
    assert [call.fault for call in world.remote.calls_of("cancel")][-1] is None
    assert 3 <= len(world.remote.calls_of("cancel")) <= 6


async def test_a_cancel_survives_a_restart(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.DOWN, ("cancel",), times=None))
        await runtime.cancel(job.job_id)
        await trio.sleep(5)
        await runtime.tree.restart("poller")
        world.remote.heal()
        assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED


async def test_a_cancel_before_the_hand_over_came_through_is_not_lost(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=20))
    async with world.open() as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(5)
        await runtime.cancel(job.job_id)
        assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED


async def test_a_cancel_of_a_job_that_was_not_accepted_ends_it(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.DOWN, ("submit",), seconds=20))
    async with world.open() as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(5)
        await runtime.cancel(job.job_id)
        assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED
    assert world.remote.runs == []


# Unknown outcomes.


async def test_a_lost_answer_keeps_its_slot_and_is_settled_under_its_key(autojump_clock, world):
    world.remote.inject(
        Fault(FaultKind.LOST_ANSWER, ("submit",)), Fault(FaultKind.DOWN, ("find",), times=None, until=60)
    )
    async with world.open(limits=Limits(total=1)) as runtime:
        job = await world.submit(duration=500)
        second = await world.submit(duration=5)
        await trio.sleep(50)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.UPLOADING
        assert (await runtime.queue.view()).running == 1
        assert len(world.remote.runs) == 1
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert (await runtime.wait(second.job_id)).status is JobStatus.COMPLETED
    assert [len(world.remote.runs_of(run.key)) for run in world.remote.runs] == [1, 1]


async def test_a_provider_that_cannot_be_asked_what_it_has_is_asked_every_five_seconds(autojump_clock, world, caplog):
    caplog.set_level(logging.DEBUG, "actors.poller")
    world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",)), Fault(FaultKind.DOWN, ("find",), times=3))
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=5)
        await trio.sleep(29)
        asked = [call.at for call in world.remote.calls_of("find")]
        assert [later - earlier for earlier, later in pairwise(asked)] == [timedelta(seconds=5)] * 3
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    said = [record for record in caplog.records if record.message.startswith(f"Job {job.job_id}: could not be settled")]
    assert [(record.levelname, record.provider) for record in said] == [("DEBUG", "scripted")] * 3


async def test_a_provider_that_cannot_tell_makes_the_job_uncertain_until_a_person_settles_it(
    autojump_clock, world, caplog
):
    caplog.set_level(logging.WARNING)
    world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=3, accepted=False))
    options = ScriptedOptions(idempotency=Idempotency.NONE)
    async with world.open(options=options, limits=Limits(total=3, per_user=3)) as runtime:
        jobs = [await world.submit(duration=5) for _ in range(3)]
        waiting = await world.submit(duration=5)
        await trio.sleep(100)
        view = await runtime.jobs.get(jobs[0].job_id)
        assert view.job.status is JobStatus.UPLOADING
        assert "cannot tell" in view.job.uncertain_reason
        assert (await runtime.health.check()).status == "degraded"
        assert any("uncertain" in record.message for record in caplog.records)
        assert (await runtime.queue.view()).running == 3  # the slots are kept
        await runtime.jobs.settle(jobs[0].job_id, "not_run", by="bo")
        await runtime.jobs.settle(jobs[1].job_id, "failed", by="bo")
        assert (await runtime.wait(jobs[0].job_id)).status is JobStatus.COMPLETED
        assert (await runtime.wait(jobs[1].job_id)).error_message == "settled as failed by bo"
        assert (await runtime.wait(waiting.job_id)).status is JobStatus.COMPLETED
        with pytest.raises(Refused, match="nothing to settle"):
            await runtime.jobs.settle(jobs[0].job_id, "failed", by="bo")
        handle = {"run": world.remote.runs[0].run_id}
        await runtime.jobs.settle(jobs[2].job_id, "ran", handle=handle, by="bo")
        assert (await runtime.wait(jobs[2].job_id)).status is JobStatus.COMPLETED
        assert (await runtime.health.check()).status == "ok"


async def test_a_job_that_its_provider_denies_is_uncertain_and_not_failed(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=1000)
        await trio.sleep(1)
        world.remote.runs[0].forgotten = True
        await trio.sleep(31)
        view = await runtime.jobs.get(job.job_id)
        assert view.job.status is JobStatus.RUNNING
        assert view.job.uncertain_since is not None
