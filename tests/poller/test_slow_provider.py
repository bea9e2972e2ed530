"""A provider that is too slow to be watched makes health degraded and is named there; it holds nobody up."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import trio

from actors.poller.actor import LONGEST_ROUND
from actors.providers.base import Handle, Push, View
from actors.providers.disk_threads import DiskThreads
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.testing import request


class SlowProvider(ScriptedProvider):
    """Takes so many seconds to tell what became of its jobs."""

    seconds = 0.0

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        await trio.sleep(self.seconds)
        return await super().observe_many(handles)


async def test_a_round_beyond_its_limit_degrades_health_until_one_is_shorter_again(
    autojump_clock: Any, world: Any
) -> None:
    """It is named while it lasts, not only once it is over; the other provider is not."""
    slow = SlowProvider(ScriptedOptions(push=Push.NONE), world.remote, "slow")
    async with world.open(others=[slow]) as runtime:
        await runtime.submit(request("slow", duration=1000))
        await trio.sleep(31)
        assert (await runtime.health.check()).status == "ok"
        slow.seconds = LONGEST_ROUND
        await trio.sleep(58)
        assert (await runtime.health.check()).status == "ok"
        slow.seconds = LONGEST_ROUND + 3
        await trio.sleep(1 + LONGEST_ROUND + 1)  # the round that began at 90 s is under way
        assert (await runtime.health.check()).reasons == (
            f"provider slow is slow: a look at its jobs took 16 s (limit {LONGEST_ROUND:g} s)",
        )
        await trio.sleep(5)
        assert (await runtime.health.check()).reasons == (
            f"provider slow is slow: a look at its jobs took 18 s (limit {LONGEST_ROUND:g} s)",
        )
        slow.seconds = 0.0
        await trio.sleep(30)
        assert (await runtime.health.check()).status == "ok"


@pytest.mark.parametrize("end", ["deadline", "stop"])
async def test_who_waits_for_a_thread_that_hangs_can_leave_it(end: str) -> None:
    """Its place stays taken until it comes back, among those of its own provider."""
    hang, begun = threading.Event(), trio.Event()
    threads, others = DiskThreads(most=1), DiskThreads(most=1)
    token = trio.lowlevel.current_trio_token()

    def work() -> None:
        token.run_sync_soon(begun.set)
        hang.wait()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(threads.run, work)
            await begun.wait()
            if end == "deadline":
                with trio.move_on_after(0) as scope:
                    await threads.run(lambda: None)
                assert scope.cancelled_caught
            nursery.cancel_scope.cancel()
        assert await others.run(lambda: 1) == 1
    finally:
        hang.set()
