"""Poller and scheduler while a provider is down: nothing is lost, nothing is spent, nobody is flooded."""

from __future__ import annotations

import logging
from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobStatus, QueueStatus
from actors.providers.base import Idempotency, Listing, Push
from actors.providers.scripted import ScriptedOptions
from actors.providers.scripted.faults import Fault, FaultKind

SILENT = ScriptedOptions(push=Push.NONE)
WIDE = Limits(total=1000, per_user=1000)


def down(world, *calls):
    world.remote.inject(Fault(FaultKind.DOWN, calls, times=None))


async def test_a_provider_that_is_down_is_asked_five_times_and_then_once_a_minute(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=2000)
        await trio.sleep(1)
        down(world, "observe")
        await trio.sleep(2 * 3600)
        asked = len(world.remote.calls_of("observe"))
        assert 5 + 60 < asked <= 5 + 121
        health = await runtime.health.check()
        assert health.status == "degraded"
        assert any("scripted is not called" in reason for reason in health.reasons)
        (view,) = await runtime.providers.views()
        assert (view.breaker.state, view.breaker.opened) == ("open", asked - 4)
        world.remote.heal()
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        await trio.sleep(60)
        assert (await runtime.health.check()).status == "ok"
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([record for record in warnings if record.name == "actors.providers.breaker"]) == 1
    assert len(warnings) == 5  # four rounds that failed, and the opening
    assert {record.provider for record in warnings} == {"scripted"}


async def test_submissions_during_an_outage_spend_no_attempt_and_keep_their_time(autojump_clock, world):
    down(world, "submit")
    async with world.open(limits=WIDE) as runtime:
        jobs = [await world.submit(duration=5) for _ in range(20)]
        await trio.sleep(3600)
        assert len(world.remote.calls_of("submit")) <= 20 + 3 * 61
        claims = [event for event in await world.events() if event.type == "job_dispatched"]
        # What stood in line when it opened was claimed in vain, once; after that only what is tried out is claimed.
        assert len(claims) <= len(world.remote.calls_of("submit")) + 2 * 20
        for job in jobs:
            view = await runtime.jobs.get(job.job_id)
            assert (view.entry.status, view.entry.attempt) == (QueueStatus.PENDING, 0)
        (standing,) = await runtime.providers.views()
        assert "not asked before" in standing.gate
        world.remote.heal()
        ended = [await runtime.wait(job.job_id) for job in jobs]
        assert {job.status for job in ended} == {JobStatus.COMPLETED}
    assert [len(world.remote.runs_of(run.key)) for run in world.remote.runs] == [1] * 20


async def test_a_breaker_that_the_poller_opened_holds_the_schedulers_hand_overs(autojump_clock, world):
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        await world.submit(duration=10_000)
        await trio.sleep(1)
        down(world, "observe")
        await trio.sleep(155)
        job = await world.submit(duration=5)
        await trio.sleep(1)
        view = await runtime.jobs.get(job.job_id)
        assert (view.entry.status, view.entry.attempt) == (QueueStatus.PENDING, 0)
        assert "provider scripted is not asked before" in view.reason
        assert not [event for event in await world.events(job.job_id) if event.type == "job_dispatched"]
        assert len(world.remote.calls_of("submit")) == 1
        world.remote.heal()
        ended = await runtime.wait(job.job_id)
        assert ended.status is JobStatus.COMPLETED
        assert timedelta(seconds=30) < ended.started_at - ended.created_at < timedelta(seconds=70)


async def test_unknown_submissions_keep_their_slots_while_it_is_open_and_are_settled_after(autojump_clock, world):
    """Ten answers lost, then nobody to ask: each is asked about when calls pass again, and none is sent twice."""
    world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=10))
    down(world, "find", "observe")
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        jobs = [await world.submit(duration=500) for _ in range(10)]
        await trio.sleep(3600)
        assert (await runtime.queue.view()).running == len(world.remote.runs)
        asked = len(world.remote.calls_of("find"))
        assert asked < 5 + 3 * 70
        world.remote.heal()
        for job in jobs:
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
            assert (await runtime.jobs.get(job.job_id)).entry.attempt == 0
    assert [len(world.remote.runs_of(run.key)) for run in world.remote.runs] == [1] * 10


async def test_a_cancel_waits_for_an_open_breaker_and_is_sent_when_it_may(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(1)
        down(world, "cancel", "observe")
        await trio.sleep(200)
        await runtime.cancel(job.job_id)
        await trio.sleep(600)
        world.remote.heal()
        healed = world.clock.now()
        ended = await runtime.wait(job.job_id)
        assert ended.status is JobStatus.CANCELLED
        assert ended.completed_at - healed <= timedelta(seconds=95)  # an opening and a beat


async def test_a_search_that_fails_keeps_no_other_job_waiting(autojump_clock, world):
    """Where a token is searched for, the search asks about all jobs: its failures are the provider's."""
    async with world.open(options=attrs.evolve(SILENT, idempotency=Idempotency.TOKEN_SEARCH)) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=1))
        down(world, "find")
        await world.submit(duration=500)
        await trio.sleep(600)
        await runtime.cancel(job.job_id)
        with trio.fail_after(120):  # the breaker may be open for a minute, and a beat follows
            assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED
        assert world.remote.calls_of("find")


async def test_a_nudge_during_an_outage_is_followed_when_calls_pass(autojump_clock, world):
    """A job of a provider that is not polled by the clock: the delivery was the only word of it."""
    options = PollerOptions(enabled=False)
    async with world.open(options=SILENT, poller=options) as runtime:
        job = await world.submit(duration=100)
        await trio.sleep(1)
        key = (await runtime.jobs.get(job.job_id)).submission.key
        down(world, "check")
        for _ in range(5):
            await runtime.providers.guarded["scripted"].check()
        await trio.sleep(50)
        world.remote.heal()
        runtime.recheck("scripted", key)
        await trio.sleep(1)
        assert world.remote.calls_of("observe") == []
        await trio.sleep(15)
        assert len(world.remote.calls_of("observe")) == 1


@pytest.mark.parametrize("listing", [Listing.ALL, Listing.NONE])
async def test_a_job_each_way_is_watched_to_its_end_through_an_outage(autojump_clock, world, listing):
    async with world.open(options=ScriptedOptions(push=Push.NONE, listing=listing), limits=WIDE) as runtime:
        jobs = [await world.submit(duration=400 + number) for number in range(30)]
        await trio.sleep(30)
        down(world, "observe")
        await trio.sleep(1000)
        world.remote.heal()
        for job in jobs:
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_a_job_that_alone_cannot_be_told_of_stops_nobody_and_is_one_warning(autojump_clock, world, caplog):
    """Its provider answers for an hour, and not so that it could be understood; others are handed over meanwhile."""
    caplog.set_level(logging.WARNING)
    world.remote.inject(Fault(FaultKind.GARBAGE, ("observe",), times=None))
    async with world.open(options=ScriptedOptions(push=Push.NONE, listing=Listing.NONE), limits=WIDE) as runtime:
        await world.submit(duration=100_000)
        await trio.sleep(3600)
        (standing,) = await runtime.providers.views()
        assert (standing.breaker.state, standing.gate) == ("closed", None)
        other = await world.submit(duration=5)
        await trio.sleep(1)
        assert (await runtime.jobs.get(other.job_id)).job.status is JobStatus.RUNNING
    assert len(caplog.records) <= 2
