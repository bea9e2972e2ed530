"""Connections that outlive their server by a grace."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from actors.net.connections import lingering


async def test_a_server_that_is_cancelled_while_it_starts_ends(autojump_clock: MockClock) -> None:
    """SIGTERM in the first moments: the nursery is shielded, and must not wait for a block that never begins."""

    async def end_by(_deadline: float) -> None:
        await trio.lowlevel.checkpoint()

    entered = False
    with trio.move_on_after(60), trio.CancelScope() as scope:
        scope.cancel()
        async with lingering(5, end_by):
            entered = True
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert entered
    assert trio.current_time() < 60
