"""When a ticking actor does not tick: after a stop or a suspension was asked for, and at a beat that is over."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio

from actors.kernel import ActorRef, Envelope, TickingActor
from tests.kernel.test_ticking import Ticker


@pytest.mark.parametrize("what", ["stop", "suspend"])
async def test_no_cycle_begins_once_a_stop_or_a_suspension_was_asked_for(crew, autojump_clock, what):
    """Asked for while a handler works, which then wakes the cycle."""
    log: list[Any] = []

    class Slow(Ticker):
        async def handle(self, message: Any) -> Any:
            await trio.sleep(1)
            self.wake()

    ref = await crew.start(ActorRef("slow"), lambda: Slow(log))
    await trio.sleep(10)
    ref.cast("work")
    await trio.sleep(0.5)
    if what == "stop":
        await ref.stop(drain=False)
    else:
        ref.suspend()
        await trio.sleep(100)
    assert log == [(0.0, 0)]


async def test_a_beat_that_rounding_puts_just_behind_a_long_cycle_is_missed_too(crew, autojump_clock):
    ticks: list[float] = []

    class Long(TickingActor):
        interval = 0.59

        async def tick(self, causes: tuple[Envelope, ...]) -> None:
            ticks.append(trio.current_time())
            if len(ticks) == 1:
                await trio.sleep(12 * self.interval)

    await trio.sleep(46.22)
    await crew.start(ActorRef("long"), Long)
    await trio.sleep(9)
    assert all(later - earlier > 0.5 for earlier, later in pairwise(ticks))
