"""Where synchronous database work runs: in a thread, or right here.

The one place where the store crosses into trio. ``InlineExecutor`` is for virtual time: under an autojumping mock
clock time would run away while a thread works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")


class Executor(Protocol):
    """Runs a blocking function without blocking the event loop, to its end."""

    async def run(self, function: Callable[[], T]) -> T:
        """The result of ``function``; never abandoned half-way."""
        ...


class ThreadExecutor:
    """Worker threads under a limiter of their own, so that other threads' load cannot starve the store."""

    def __init__(self, threads: int) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, function: Callable[[], T]) -> T:
        """Cancellation is delivered before the thread starts or after it ended, never between."""
        return await trio.to_thread.run_sync(function, limiter=self._limiter)


class InlineExecutor:
    """Runs the function in the event loop's own thread."""

    async def run(self, function: Callable[[], T]) -> T:
        """A checkpoint first, as any call that might block has."""
        await trio.lowlevel.checkpoint()
        return function()
