"""Faults that are injected between actors: crashes, lost and doubled messages, delays."""

from __future__ import annotations

import pytest
import trio

from actors.kernel import ActorRef
from supervision import (
    FaultPlan,
    open_supervisor,
)
from tests.kernel.workers import worker

# Faults on purpose.


async def test_a_crash_injected_into_a_receive_reads_like_a_real_one():
    ref, seen = ActorRef("worker"), []
    async with open_supervisor([worker(ref, seen)]):
        with FaultPlan(seed=1).at("receive.before:worker", occurrence=2, do="crash"):
            for n in range(3):
                ref.cast(n)
            await trio.testing.wait_all_tasks_blocked()
    assert seen == [0, 2]
    assert [entry.envelope.message for entry in ref.quarantine] == [1]


@pytest.mark.parametrize(("do", "arrived"), [("drop", [0, 2]), ("duplicate", [0, 1, 1, 2])])
async def test_a_message_on_its_way_may_be_lost_or_doubled_on_purpose(do, arrived):
    ref, seen = ActorRef("worker"), []
    async with open_supervisor([worker(ref, seen)]):
        with FaultPlan(seed=1).at("send:worker", occurrence=2, do=do):
            for n in range(3):
                ref.cast(n)
        await trio.testing.wait_all_tasks_blocked()
    assert seen == arrived


async def test_a_caller_may_be_delayed_on_purpose(autojump_clock):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [])]):
        with FaultPlan(seed=1).at("call.before:worker", occurrence=1, do="delay", delay=3):
            await ref.call(1)
        assert trio.current_time() == 3
