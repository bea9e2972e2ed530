"""Rounds of a provider's watch: a cycle waits for them, and while the provider is left alone nothing is read for it."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise

import trio

from actors.jobs.options import PollerOptions
from actors.jobs.records import JobStatus
from actors.ledger.queries import in_flight_at
from actors.providers.base import Push
from actors.providers.errors import Unavailable
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.providers.scripted.faults import Fault, FaultKind

SILENT = ScriptedOptions(push=Push.NONE)


def counting_reads(runtime, monkeypatch):
    """The moments at which rows of a provider's jobs are read from now on."""
    reads, real = [], runtime.ledger.read

    async def read(query, *args, **kwargs):
        if query is in_flight_at:
            reads.append(trio.current_time())
        return await real(query, *args, **kwargs)

    monkeypatch.setattr(runtime.ledger, "read", read)
    return reads


async def test_a_cycle_is_over_when_its_provider_has_answered(autojump_clock, world, caplog):
    """Its number of jobs is that of this cycle, and no other one is begun meanwhile."""
    caplog.set_level(logging.DEBUG, "actors.poller")
    async with world.open(options=SILENT):
        await world.submit(duration=1_000)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.SLOW, ("observe",), seconds=10, times=1))
        caplog.clear()
        await trio.sleep(35)
        assert [message for message in caplog.messages if message.startswith("Synced")] == []
        await trio.sleep(10)
        assert [message for message in caplog.messages if message.startswith("Synced")] == ["Synced 1 active jobs"]


async def test_a_provider_that_still_answers_is_left_out_of_a_cycle_and_not_asked_twice_in_a_row(autojump_clock, world):
    """A round takes longer than two cycles: the next one begins with the cycle after it, not at once."""
    async with world.open(options=SILENT, poller=PollerOptions(interval_seconds=7)):
        await world.submit(duration=1_000)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.SLOW, ("observe",), seconds=16, times=1))
        began = world.clock.now()
        await trio.sleep(40)
    asked = [(call.at - began).total_seconds() + 1 for call in world.remote.calls_of("observe")]
    assert asked == [7, 28, 35]


async def test_while_the_breaker_of_a_provider_is_open_nothing_is_read_for_it(
    autojump_clock, world, monkeypatch, caplog
):
    """A round that is requested then is made when calls may pass again."""
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(1)
        key = (await runtime.jobs.get(job.job_id)).submission.key
        world.remote.inject(Fault(FaultKind.DOWN, ("check", "observe"), times=None))
        for _ in range(5):
            await runtime.providers.guarded["scripted"].check()
        rest = runtime.providers.guarded["scripted"].breaker.retry_after
        assert rest > 1
        asked = len(world.remote.calls_of("observe"))
        reads = counting_reads(runtime, monkeypatch)
        runtime.recheck("scripted", key)
        caplog.set_level(logging.DEBUG, "actors.poller")
        await trio.sleep(rest - 0.5)
        assert {message for message in caplog.messages if message.startswith("Synced")} == {"Synced 0 active jobs"}
        assert (reads, len(world.remote.calls_of("observe"))) == ([], asked)
        await trio.sleep(1)
        assert (len(reads) > 0, len(world.remote.calls_of("observe"))) == (True, asked + 1)


async def test_once_a_cancelled_job_has_ended_nothing_is_read_for_it_between_cycles(autojump_clock, world, monkeypatch):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(10)
        await runtime.cancel(job.job_id)
        await runtime.wait(job.job_id)
        await trio.sleep(1)
        reads = counting_reads(runtime, monkeypatch)
        await trio.sleep(300)
        assert len(reads) == 10


class Silenced(ScriptedProvider):
    """Cannot send news of its jobs."""

    def __init__(self, remote):
        super().__init__(SILENT, remote, "silenced")
        self.watched = []

    async def watch(self, nudge):
        await trio.lowlevel.checkpoint()
        self.watched.append(trio.current_time())
        raise Unavailable("no stream")


async def test_a_provider_whose_news_stop_is_warned_of_and_listened_to_again_every_five_seconds(
    autojump_clock, world, caplog
):
    caplog.set_level(logging.WARNING, "actors.poller")
    silenced = Silenced(world.remote)
    async with world.open(others=[silenced]):
        await trio.sleep(12)
    assert [later - earlier for earlier, later in pairwise(silenced.watched)] == [5.0, 5.0]
    said = [record for record in caplog.records if "stopped sending news of its jobs: no stream" in record.message]
    assert [(record.levelname, record.provider) for record in said] == [("WARNING", "silenced")] * 3


async def test_a_cancel_is_sent_again_only_to_a_job_that_was_seen_to_go_on(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.NEVER_ENDS, ("cancel",), times=1))
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(10)
        world.remote.inject(Fault(FaultKind.UNSEEN, ("observe",), times=3))
        await runtime.cancel(job.job_id)
        with trio.fail_after(600):
            ended = await runtime.wait(job.job_id)
        assert ended.status is JobStatus.CANCELLED
    calls = [(call.name, call.fault is not None) for call in world.remote.calls if call.name in ("cancel", "observe")]
    first = calls.index(("cancel", True))
    assert calls[first : first + 6] == [
        ("cancel", True),
        *[("observe", True)] * 3,
        ("observe", False),
        ("cancel", False),
    ]
    asked = [call.at for call in world.remote.calls_of("observe")][:4]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps == [timedelta(seconds=seconds) for seconds in (2, 4, 8)]
