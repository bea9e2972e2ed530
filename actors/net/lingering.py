"""Connections that outlive their server's stop for a moment, so that what is in flight can end in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def lingering(
    grace: float, hurry: Callable[[float], Awaitable[None]]
) -> AsyncIterator[tuple[trio.Nursery, trio.Event]]:
    """A nursery for connections that outlives the block, its cancellation too, by ``grace`` seconds at most.

    The event beside it is set when that time begins: idle connections close, streams say goodbye. ``hurry`` is then
    called with the trio time at which whoever is still there will be cut off.
    """
    ending = trio.Event()

    async def hold(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as connections:
                task_status.started(connections)
                await ending.wait()
                scope.deadline = trio.current_time() + grace
                await hurry(scope.deadline)

    async with trio.open_nursery() as keeper:
        connections = await keeper.start(hold)
        try:
            yield connections, ending
        finally:
            ending.set()
