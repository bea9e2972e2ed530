"""What follows from a hand-over that failed, and from a provider or a queue that cannot be reached."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus, QueueStatus
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind, Refusal
from actors.testing import request
from tests.runtime_fixtures import fail_writing_an_answer


def refused(refusal, **fields):
    return Fault(FaultKind.REFUSED, ("submit",), refusal=refusal, **fields)


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (refused(Refusal.INVALID, times=None), JobStatus.FAILED, "refused as scripted"),
        (refused(Refusal.CONFLICT, times=None), JobStatus.FAILED, "refused as scripted"),
        (refused(Refusal.CONFLICT, times=2), JobStatus.COMPLETED, None),
        (refused(Refusal.RATE_LIMITED, times=20), JobStatus.COMPLETED, None),
        (Fault(FaultKind.DOWN, ("submit",), times=20), JobStatus.COMPLETED, None),
        (Fault(FaultKind.LOST_ANSWER, ("submit",), times=3), JobStatus.COMPLETED, None),
        (Fault(FaultKind.LOST_ANSWER, ("submit",), times=3, accepted=False), JobStatus.COMPLETED, None),
        (Fault(FaultKind.HANG, ("submit",), times=2), JobStatus.COMPLETED, None),
        (Fault(FaultKind.GARBAGE, ("submit",), times=2), JobStatus.COMPLETED, None),
        (Fault(FaultKind.CRASH, ("submit",), times=2), JobStatus.COMPLETED, None),
        (Fault(FaultKind.CRASH, ("submit",), times=None, accepted=False), JobStatus.FAILED, "a bug in"),
        (Fault(FaultKind.SLOW, ("submit",), times=None, seconds=30), JobStatus.COMPLETED, None),
    ],
    ids=lambda value: f"{value.kind}-{value.refusal}-{value.times}" if isinstance(value, Fault) else None,
)  # fmt: skip
async def test_what_follows_from_a_failed_hand_over(autojump_clock, world, fault, status, message):
    """By its kind: failed at once, tried again, waited for; and never run twice."""
    world.remote.inject(fault)
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        ended = await runtime.wait(job.job_id)
        assert ended.status is status
        assert message is None or message in ended.error_message
        assert len(world.remote.runs) <= 1
        entry = (await runtime.jobs.get(job.job_id)).entry
        assert entry.status is (QueueStatus.COMPLETED if status is JobStatus.COMPLETED else QueueStatus.FAILED)


async def test_three_attempts_take_their_time(autojump_clock, world, caplog):
    """Not three attempts in 17 ms and then failed."""
    caplog.set_level(logging.INFO)
    world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=None))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        ended = await runtime.wait(job.job_id)
        calls = world.remote.calls_of("submit")
        assert len(calls) == 3
        assert calls[-1].at - calls[0].at >= timedelta(seconds=10)
        assert ended.error_message == "refused as scripted (other)"
    told = [record for record in caplog.records if record.message.startswith("Job was not accepted: refused")]
    assert [(record.levelname, record.job_id, record.failure) for record in told] == [("INFO", job.job_id, "other")] * 3


async def test_a_wrong_token_pauses_the_provider_and_fails_nothing(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    world.remote.inject(refused(Refusal.AUTH, times=1))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        await trio.sleep(3600)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.queue_status, view.entry.attempt) == ("pending", "pending", 0)
        assert "paused" in view.reason
        assert view.setting == "greenroom queue resume scripted"
        assert len(world.remote.calls_of("submit")) == 1
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert warnings[0].provider == "scripted"
        await runtime.queue.resume("scripted")
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_retry_after_is_kept_to_the_second(autojump_clock, world):
    world.remote.inject(refused(Refusal.RATE_LIMITED, retry_after=77))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        await runtime.wait(job.job_id)
        first, second = world.remote.calls_of("submit")
        assert timedelta(seconds=77) <= second.at - first.at < timedelta(seconds=78)


async def test_a_provider_down_for_two_hours_empties_no_queue_into_failed(autojump_clock, world):
    """200 jobs wait it out and run afterwards, in order."""
    world.remote.inject(Fault(FaultKind.DOWN, times=None, until=7200))
    async with world.open(limits=Limits(total=1, per_user=200)) as runtime:
        jobs = [await world.submit(duration=1) for _ in range(200)]
        await trio.sleep(7100)
        assert world.remote.runs == []
        assert (await runtime.queue.view()).counts == {"pending": 200}
        for job in jobs:
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert [run.context["job_id"] for run in world.remote.runs] == [job.job_id for job in jobs]
        asked = len([call for call in world.remote.calls_of("submit") if call.fault])
        assert asked < 300  # the whole provider backs off, not each job for itself


async def test_a_provider_that_hangs_delays_nobody_elses_jobs(autojump_clock, world):
    other = ScriptedRemote(world.clock.now)
    world.remote.inject(Fault(FaultKind.HANG, ("submit",), times=None))
    async with world.open(
        others=[ScriptedProvider(ScriptedOptions(), other, "other")], limits=Limits(total=20, per_user=20)
    ) as runtime:
        for _ in range(8):
            await world.submit(duration=5)
        await trio.sleep(0.5)
        quick = await runtime.submit(request("other", duration=5))
        done = await runtime.wait(quick.job_id)
        assert done.completed_at - quick.created_at == timedelta(seconds=5)


async def test_a_queue_that_cannot_be_read_fails_the_scheduler_alone(autojump_clock, world, caplog, monkeypatch):
    """Its first look fails: ERROR with traceback, restarted with back-off; poller and expiry are untouched."""
    caplog.set_level(logging.INFO)
    async with world.open() as runtime:
        await trio.sleep(1)
        real = runtime.ledger.claim
        faults = iter([RuntimeError("no such table"), RuntimeError("no such table")])

        async def claim(*args):
            for fault in faults:
                raise fault
            return await real(*args)

        monkeypatch.setattr(runtime.ledger, "claim", claim)
        await runtime.tree.restart("scheduler")
        await trio.sleep(30)
        errors = [record for record in caplog.records if record.message == "Failed to start queue processing"]
        assert len(errors) == 2
        assert all(record.exc_info for record in errors)
        actors = next(node for node in runtime.tree.describe() if node["id"] == "actors")["children"]
        assert [node["incarnation"] for node in actors] == [4, 1, 1]
        job = await world.submit(duration=1)
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_a_job_whose_look_failed_after_it_was_claimed_runs_once_after_all(autojump_clock, world, monkeypatch):
    """Its claim is committed and nobody hands it over: its provider is asked, and it is claimed again."""
    async with world.open() as runtime:
        await trio.sleep(1)
        real, failed = runtime.ledger.claim, []

        async def claim(*args):
            claimed = await real(*args)
            if claimed.dispatches and not failed:
                failed.append(claimed)
                raise RuntimeError("out of memory")
            return claimed

        monkeypatch.setattr(runtime.ledger, "claim", claim)
        job = await world.submit(duration=5)
        with trio.fail_after(60):
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert len(failed) == len(world.remote.runs) == 1


async def test_a_stop_records_the_answers_that_could_not_be_written_before(autojump_clock, world, monkeypatch):
    """Else it would wait for them until its grace is over, and the next start would ask the provider."""
    async with world.open() as runtime:
        await trio.sleep(0.5)
        fail_writing_an_answer(monkeypatch, runtime)
        job = await world.submit(duration=100)
        await trio.sleep(1)
        assert "job_handed_over" not in [event.type for event in await world.events(job.job_id)]
        began = trio.current_time()
        await runtime.quiesce()
        assert trio.current_time() == began
        assert "job_handed_over" in [event.type for event in await world.events(job.job_id)]


async def test_a_scheduler_that_dies_in_a_hand_over_leaves_it_to_the_poller(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=30))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        await trio.sleep(10)
        await runtime.tree.restart("scheduler")
        with trio.fail_after(120):
            ended = await runtime.wait(job.job_id)
        assert ended.status is JobStatus.COMPLETED
        assert (await runtime.jobs.get(job.job_id)).entry.attempt == 0
    assert len(world.remote.runs) == 1
