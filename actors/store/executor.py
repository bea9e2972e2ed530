"""Where synchronous database work runs: in a thread, or in the event loop's own thread.

This is the one place where the store crosses into trio. ``InlineExecutor`` is for virtual time: with an autojumping
mock clock, virtual time would advance while a thread works.
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
        """The result of ``function``, which is never abandoned half-way."""
        ...


class ThreadExecutor:
    """Worker threads under a limiter of their own, so that other threads' load cannot starve the store."""

    def __init__(self, threads: int) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, function: Callable[[], T]) -> T:
        """Cancellation is delivered before the thread starts or after it ended, never between."""
        return await trio.to_thread.run_sync(function, limiter=self._limiter)


OURS, PEOPLES, PEOPLES_OF_ONE = 2, 16, 2
"""Threads that read for the actors, threads that read for people, and how many of the latter one caller may use
(D3).
"""

caller: ContextVar[str | None] = ContextVar("caller", default=None)
"""The caller for whom the current task reads; None: an actor. Set by the servers."""


READ_SECONDS = 5.0
"""The most seconds of a read for a person, from its thread's start to the last row: statements and fetches together."""


def seconds_to_read() -> float | None:
    """How many seconds a read of the current task may take; None, for actors: no limit."""
    return None if caller.get() is None else READ_SECONDS


class SharedExecutor(ThreadExecutor):
    """Threads for the readers of many callers (:data:`caller`), of which each has at most ``of_one`` at a time.

    A caller's further reads wait for their own earlier ones, so that nobody else waits for them. Our own reads, for
    example an actor's, have ``ours`` threads of their own and wait for nobody.
    """

    def __init__(self, peoples: int = PEOPLES, of_one: int = PEOPLES_OF_ONE, ours: int = OURS) -> None:
        super().__init__(peoples)
        self._ours = ThreadExecutor(ours)
        self._of_one = of_one
        self._turns: dict[str, trio.Semaphore] = {}
        self._using: Counter[str] = Counter()

    async def run(self, function: Callable[[], T]) -> T:
        """The result of ``function``, once a thread is free and the caller may have it."""
        key = caller.get()
        if key is None:
            return await self._ours.run(function)
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
