"""Threads for calls that block on files which others can touch: a disk that hangs stops only its own provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

MOST_THREADS = 8


class DiskThreads:
    """At most ``most`` threads of one provider; no other provider waits for them.

    A caller that waits for a thread can be cancelled, by a deadline or by the end of the supervisor. The thread then
    continues alone, and counts among its provider's until it ends. What it does must therefore be harmless if it is
    done late, or twice.
    """

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._limiter = trio.CapacityLimiter(most)

    async def run(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """``function(*arguments)`` in a thread."""
        return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True, limiter=self._limiter)
