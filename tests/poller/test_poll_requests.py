"""What the poller is asked to look at between its beats: each job once, none forgotten, nobody else's rows read."""

from __future__ import annotations

from itertools import pairwise

import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobStatus
from actors.ledger.queries import in_flight_at
from actors.providers.base import CancelAck, Listing, Push
from actors.providers.breaker import BreakerState
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind
from actors.testing import request

SILENT = ScriptedOptions(push=Push.NONE)
ONE_BY_ONE = ScriptedOptions(push=Push.NONE, listing=Listing.NONE)
OFF = PollerOptions(enabled=False)
WIDE = Limits(total=10_000, per_user=10_000)


def seconds_after(start, calls):
    """The moments of ``calls`` in seconds after ``start``."""
    return [(call.at - start).total_seconds() for call in calls]


async def handed_over(runtime, many):
    """So many long jobs that are at their provider; their keys."""
    accepted = await runtime.jobs.submit_many([request(duration=100_000.0) for _ in range(many)])
    await trio.sleep(6)
    return [(await runtime.jobs.get(one.job.job_id)).submission.key for one in accepted]


# Read-backs after deliveries.


async def test_a_burst_of_deliveries_reads_every_job_back_once(autojump_clock, world):
    """A hundred within one moment, three times over: more than a mailbox holds, and nobody polls by the clock."""
    async with world.open(options=SILENT, poller=OFF, limits=WIDE) as runtime:
        keys = await handed_over(runtime, 100)
        for _ in range(3):
            for key in keys:
                runtime.recheck("scripted", key)
        await trio.sleep(5)
        asked = [key for call in world.remote.calls_of("observe") for key in call.keys]
        assert sorted(asked) == sorted(keys)
        assert runtime._poller.mailbox.dropped == 0


async def test_a_read_back_that_was_asked_for_while_the_poller_was_down_is_made(autojump_clock, world):
    async with world.open(options=SILENT, poller=OFF, limits=WIDE) as runtime:
        (key,) = await handed_over(runtime, 1)
        await runtime.tree.groups[0].stop_child("poller")
        runtime.recheck("scripted", key)
        await runtime.tree.groups[0].restart_child("poller")
        await trio.sleep(1)
        assert [call.keys for call in world.remote.calls_of("observe")] == [(key,)]


# Hand-overs.


async def test_hand_overs_have_their_own_rows_read_and_no_others(autojump_clock, world, monkeypatch):
    """A hundred one after the other: what is read grows with them, not with their square, and nobody is asked."""
    options = ScriptedOptions(push=Push.NONE, concurrent_calls=1)
    async with world.open(options=options, limits=WIDE) as runtime:
        await trio.sleep(1)
        queries = []
        real = runtime.ledger.read

        async def read(query, *args, **kwargs):
            found = await real(query, *args, **kwargs)
            if query is in_flight_at:
                queries.append([one.key for one in found])
            return found

        monkeypatch.setattr(runtime.ledger, "read", read)
        world.remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=0.1, times=None))
        await runtime.jobs.submit_many([request(duration=100_000.0) for _ in range(100)])
        await trio.sleep(15)
        rows = [key for found in queries for key in found]
        assert sorted(rows) == sorted(run.key for run in world.remote.runs)
        assert len(rows) == 100
        assert world.remote.calls_of("observe") == []


class LateAnswers(ScriptedProvider):
    """Accepts at once, and says so two seconds later."""

    async def submit(self, *asked):
        accepted = await super().submit(*asked)
        await trio.sleep(2)
        return accepted


async def test_a_job_that_ends_before_its_hand_over_is_written_is_asked_about_right_after(autojump_clock, world):
    """The provider told of its end while nobody here knew yet that it was accepted; nobody polls by the clock."""
    late = LateAnswers(ScriptedOptions(), ScriptedRemote(world.clock.now), "late")
    async with world.open(others=[late], poller=OFF) as runtime:
        job = await runtime.submit(request("late", duration=0.1))
        with trio.fail_after(5):
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert len(late.remote.calls_of("observe")) == 1


# Cancels.


class Reluctant(ScriptedProvider):
    """Accepts a cancel, ends the job much later, and takes a while to answer about it."""

    def __init__(self, remote, answers_after=0.0, cancel=CancelAck.ACCEPTED):
        super().__init__(SILENT, remote, "other")
        self.answers_after, self.answer = answers_after, cancel
        self.told: list[tuple[str, float]] = []

    async def cancel(self, key, handle):
        self.told.append(("cancel", trio.current_time()))
        await trio.lowlevel.checkpoint()
        return self.answer

    async def observe_many(self, handles):
        await trio.sleep(self.answers_after)
        self.told.append(("observed", trio.current_time()))
        return await super().observe_many(handles)


async def test_a_cancel_is_sent_again_only_after_a_look_that_shows_the_job_going_on(autojump_clock, world):
    """A look takes five seconds: nothing is sent meanwhile, whatever the pause between two requests is."""
    provider = Reluctant(ScriptedRemote(world.clock.now), answers_after=5)
    async with world.open(others=[provider], poller=OFF, limits=WIDE) as runtime:
        job = await runtime.submit(request("other", duration=100_000.0))
        await trio.sleep(1)
        await runtime.cancel(job.job_id)
        began = trio.current_time()
        await trio.sleep(60)
        what = [name for name, _ in provider.told]
        assert what[:6] == ["cancel", "observed"] * 3
        assert all(first != second for first, second in pairwise(what))
        assert [round(at - began) for name, at in provider.told if name == "cancel"] == [0, 6, 13, 22, 35, 56]


async def test_where_nobody_polls_a_cancel_has_no_other_job_asked_about(autojump_clock, world):
    async with world.open(options=SILENT, poller=OFF, limits=WIDE) as runtime:
        unwanted, _ = [await world.submit(duration=100_000) for _ in range(2)]
        await trio.sleep(10)
        key = (await runtime.jobs.get(unwanted.job_id)).submission.key
        await runtime.cancel(unwanted.job_id)
        await runtime.wait(unwanted.job_id)
    assert {call.keys for call in world.remote.calls_of("observe")} == {(key,)}


async def test_a_cancel_that_its_provider_carries_out_is_sent_once(autojump_clock, world):
    """The end comes a while after the request, as on a cluster; the first look after it sees the end."""
    async with world.open(options=SILENT, poller=OFF) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(1)
        await runtime.cancel(job.job_id)
        assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED
        await trio.sleep(100)
    assert len(world.remote.calls_of("cancel")) == 1


async def test_looks_at_other_jobs_neither_hasten_nor_hold_up_the_next_request(autojump_clock, world):
    provider = Reluctant(ScriptedRemote(world.clock.now))
    async with world.open(others=[provider], poller=OFF, limits=WIDE) as runtime:
        job, other = [await runtime.submit(request("other", duration=100_000.0)) for _ in range(2)]
        await trio.sleep(1)
        key = (await runtime.jobs.get(other.job_id)).submission.key
        await runtime.cancel(job.job_id)
        began = trio.current_time()
        for _ in range(100):
            runtime.recheck("other", key)
            await trio.sleep(0.2)
        sent = [at - began for name, at in provider.told if name == "cancel"]
        assert [round(at) for at in sent] == [0, 1, 3, 7, 15]


async def test_a_cancel_that_failed_is_sent_again_without_a_look(autojump_clock, world):
    """Nobody took it, so there is nothing to wait for: the provider answers cancels before it answers about jobs."""
    world.remote.inject(
        Fault(FaultKind.DOWN, ("cancel",), times=2), Fault(FaultKind.DOWN, ("observe",), times=None, until=400)
    )
    async with world.open(options=SILENT, poller=OFF) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(1)
        await runtime.cancel(job.job_id)
        began = world.clock.now()
        await trio.sleep(10)
        assert [round(at) for at in seconds_after(began, world.remote.calls_of("cancel"))] == [0, 1, 3]


# Resuming by hand.


async def test_resuming_a_provider_by_hand_tries_it_out_before_its_breaker_would(autojump_clock, world):
    """Closed at once where it answers; the job that waited is observed and the one in the queue handed over."""
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        running = await world.submit(duration=100)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.DOWN, ("observe", "submit"), times=None))
        await trio.sleep(155)
        breaker = runtime.providers.guarded["scripted"].breaker
        assert breaker.state is BreakerState.OPEN
        waiting = await world.submit(duration=5)
        world.remote.heal()
        before = trio.current_time()
        await runtime.queue.resume("scripted", by="bo")
        assert (await runtime.wait(running.job_id)).status is JobStatus.COMPLETED
        await trio.sleep(1)
        assert (await runtime.jobs.get(waiting.job_id)).submission.handle is not None
        assert breaker.state is BreakerState.CLOSED
        assert trio.current_time() - before <= 2


async def test_a_provider_that_is_still_down_is_left_alone_again_after_one_try(autojump_clock, world):
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        await world.submit(duration=100_000)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.DOWN, ("observe",), times=None))
        await trio.sleep(170)
        breaker = runtime.providers.guarded["scripted"].breaker
        asked = len(world.remote.calls_of("observe"))
        assert breaker.state is BreakerState.OPEN
        await runtime.queue.resume("scripted", by="bo")
        await trio.sleep(1)
        assert breaker.state is BreakerState.OPEN
        assert len(world.remote.calls_of("observe")) == asked + 1


async def test_resuming_the_queue_leaves_breakers_as_they_are(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        world.remote.inject(Fault(FaultKind.DOWN, ("check",), times=None))
        for _ in range(5):
            await runtime.providers.guarded["scripted"].check()
        await runtime.queue.resume(None, by="bo")
        assert runtime.providers.guarded["scripted"].breaker.state is BreakerState.OPEN
