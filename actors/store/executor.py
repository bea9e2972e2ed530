"""Where synchronous database work runs: in a thread, or right here.

The one place where the store crosses into trio. ``InlineExecutor`` is for virtual time: under an autojumping mock
clock time would run away while a thread works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
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


READERS, READERS_OF_ONE = 4, 2
"""Threads that read, and how many of them one caller may use at a time (D3)."""

caller: ContextVar[str | None] = ContextVar("caller", default=None)
"""For whom the current task reads; None: for ourselves. Set by whoever serves a peer."""


class SharedExecutor(ThreadExecutor):
    """``threads`` that many callers share, of which one caller (:data:`caller`) has at most ``of_one`` at a time.

    A caller's further reads wait for its own earlier ones, so that nobody else waits for them.
    """

    def __init__(self, threads: int = READERS, of_one: int = READERS_OF_ONE) -> None:
        super().__init__(threads)
        self._of_one = of_one
        self._turns: dict[str, trio.Semaphore] = {}
        self._using: Counter[str] = Counter()

    async def run(self, function: Callable[[], T]) -> T:
        """The result of ``function``, once a thread is free and the caller may have it."""
        key = caller.get()
        if key is None:
            return await super().run(function)
        turns = self._turns.setdefault(key, trio.Semaphore(self._of_one))
        self._using[key] += 1
        try:
            try:
                turns.acquire_nowait()  # without a checkpoint: the thread's is enough
            except trio.WouldBlock:
                await turns.acquire()
            try:
                return await super().run(function)
            finally:
                turns.release()
        finally:
            self._using[key] -= 1
            if not self._using[key]:
                del self._using[key], self._turns[key]


class InlineExecutor:
    """Runs the function in the event loop's own thread."""

    async def run(self, function: Callable[[], T]) -> T:
        """A checkpoint first, as any call that might block has."""
        await trio.lowlevel.checkpoint()
        return function()
