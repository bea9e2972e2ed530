"""The poller over many jobs: few requests, no needless writes, and nobody waits for somebody else's provider."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise

import pytest
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobStatus
from actors.ledger.observe import record
from actors.poller.statuses import cycles_left_out
from actors.providers.base import Listing, Push
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind
from actors.testing import request
from logconf import get_correlation_id

SILENT = ScriptedOptions(push=Push.NONE)
ONE_BY_ONE = ScriptedOptions(push=Push.NONE, listing=Listing.NONE)
WIDE = Limits(total=10_000, per_user=10_000)


async def submitted(runtime, many, **fields):
    await runtime.jobs.submit_many([request(**fields) for _ in range(many)])
    await trio.sleep(6)
    assert (await runtime.queue.view(limit=1)).running >= many


async def test_a_cycle_in_which_nothing_changed_writes_nothing(autojump_clock, world, monkeypatch):
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        await submitted(runtime, 300, duration=100_000.0)
        await trio.sleep(31)
        recorded = []
        real = runtime.ledger.write

        async def write(verb, *args, **kwargs):
            if verb is record:
                recorded.append(len(args[0]))
            return await real(verb, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "write", write)
        await trio.sleep(300)
        assert recorded == []
        assert len(world.remote.calls_of("observe")) >= 10


async def test_what_changed_together_is_recorded_together(autojump_clock, world, monkeypatch):
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        await submitted(runtime, 300, duration=1000.0)
        recorded = []
        real = runtime.ledger.write

        async def write(verb, *args, **kwargs):
            if verb is record:
                recorded.append(len(args[0]))
            return await real(verb, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "write", write)
        await trio.sleep(1100)
        assert sum(recorded) >= 300
        assert len(recorded) <= 5


async def test_where_nothing_can_be_listed_a_few_are_asked_about_at_once_and_not_all_in_one_moment(
    autojump_clock, world
):
    async with world.open(options=ONE_BY_ONE, limits=WIDE) as runtime:
        await submitted(runtime, 40, duration=100_000.0)
        world.remote.calls.clear()
        await trio.sleep(30)
        calls = world.remote.calls_of("observe")
        assert sorted(key for call in calls for key in call.keys) == sorted({run.key for run in world.remote.runs})
        assert {len(call.keys) for call in calls} == {1}
        moments = {call.at for call in calls}
        assert len(moments) > 20
        assert max(moments) - min(moments) < timedelta(seconds=2)


async def test_one_request_for_each_job_carries_that_jobs_id_and_one_for_many_the_cycles(autojump_clock, world):
    """A14: the IDs under which the provider was called."""
    seen = []

    class Listening(ScriptedProvider):
        async def observe_many(self, handles):
            seen.append(get_correlation_id())
            return await super().observe_many(handles)

    for options, expected in ((ONE_BY_ONE, "the jobs'"), (SILENT, "the cycle's")):
        remote = ScriptedRemote(world.clock.now)
        seen.clear()
        async with world.open(others=[Listening(options, remote, "other")], limits=WIDE) as runtime:
            accepted = await runtime.jobs.submit_many([request("other", duration=1000.0) for _ in range(3)])
            await trio.sleep(40)
            ids = {one.job.correlation_id for one in accepted}
            assert (set(seen) == ids) == (expected == "the jobs'")
            if expected == "the cycle's":
                assert len(set(seen)) == len(seen) == 1
                await trio.sleep(30)
                assert len(set(seen)) == 2  # each cycle has its own


@pytest.mark.parametrize(
    ("hours", "left_out"), [(0, 0), (0.4, 0), (0.5, 1), (1, 2), (1.6, 3), (2, 4), (24, 4), (1000, 4), (-1, 0)]
)
def test_an_old_job_is_left_out_of_at_most_four_cycles(hours, left_out):
    assert cycles_left_out(hours * 3600) == left_out


async def test_old_jobs_are_asked_about_every_fifth_cycle_and_new_ones_in_each(autojump_clock, world):
    async with world.open(options=ONE_BY_ONE, limits=WIDE) as runtime:
        await submitted(runtime, 1, duration=100_000.0)
        await trio.sleep(4 * 3600)
        world.remote.calls.clear()
        await submitted(runtime, 2, duration=1000.0)
        world.remote.calls.clear()
        await trio.sleep(30 * 20)
        old, *new = [run.key for run in world.remote.runs]
        asked = [key for call in world.remote.calls_of("observe") for key in call.keys]
        assert asked.count(old) == 4
        assert [asked.count(key) for key in new] == [20, 20]


async def test_where_one_request_tells_of_all_nobody_is_left_out(autojump_clock, world):
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        await submitted(runtime, 3, duration=100_000.0)
        await trio.sleep(4 * 3600)
        world.remote.calls.clear()
        await trio.sleep(300)
        assert {len(call.keys) for call in world.remote.calls_of("observe")} == {3}


async def test_a_provider_that_hangs_in_every_call_delays_neither_cycles_nor_cancels_of_others(autojump_clock, world):
    """Forty lost answers, each of which takes 30 s to ask about: far longer than a beat."""
    world.remote.inject(
        Fault(FaultKind.LOST_ANSWER, ("submit",), times=40),
        Fault(FaultKind.HANG, ("find", "observe", "cancel"), times=None),
    )
    other = ScriptedRemote(world.clock.now)
    async with world.open(options=SILENT, others=[ScriptedProvider(SILENT, other, "other")], limits=WIDE) as runtime:
        await runtime.jobs.submit_many([request(duration=1000.0) for _ in range(40)])
        await trio.sleep(35)
        quick = await runtime.submit(request("other", duration=40))
        long = await runtime.submit(request("other", duration=100_000.0))
        done = await runtime.wait(quick.job_id)
        assert done.completed_at - quick.created_at == timedelta(seconds=40)
        asked_at = world.clock.now()
        await runtime.cancel(long.job_id)
        ended = await runtime.wait(long.job_id)
        assert ended.status is JobStatus.CANCELLED
        assert ended.completed_at - asked_at <= timedelta(seconds=5)
        await trio.sleep(100)
        moments = [call.at for call in other.calls_of("observe")]
        gaps = [second - first for first, second in pairwise(moments)]
        assert max(gaps) <= timedelta(seconds=31)


async def test_an_unknown_status_is_one_warning_a_job_not_one_a_cycle(autojump_clock, world, caplog):
    caplog.set_level(logging.WARNING)
    async with world.open(options=SILENT, limits=WIDE) as runtime:
        await submitted(runtime, 5, duration=100_000.0)
        await trio.sleep(31)
        world.remote.inject(Fault(FaultKind.UNKNOWN_STATUS, ("observe",), times=None))
        await trio.sleep(3600)
    said = [record for record in caplog.records if "unknown status" in record.message]
    assert len(said) == 5
    assert len({record.job_id for record in said}) == 5


async def test_the_safety_net_costs_what_it_finds(autojump_clock, world):
    """A thousand silent jobs are one request at each of its turns, and none between them."""
    options = PollerOptions(enabled=False, safety_net_seconds=600)
    async with world.open(options=SILENT, poller=options, limits=WIDE) as runtime:
        await submitted(runtime, 200, duration=100_000.0)
        await trio.sleep(3600)
        calls = world.remote.calls_of("observe")
        assert len(calls) <= 12
        assert sum(len(call.keys) for call in calls) <= 200 * 6
