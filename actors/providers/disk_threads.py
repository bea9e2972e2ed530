"""Threads for what blocks on files that others can touch: a disk that hangs stops its own provider only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

MOST_THREADS = 8


class DiskThreads:
    """At most ``most`` threads of one provider, which no other waits for.

    A caller that waits for one can be cancelled: by a deadline, by the end of the supervisor. The thread then runs on
    alone, and counts among its provider's until it comes back. What it does must therefore be good to be done late,
    or twice.
    """

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._limiter = trio.CapacityLimiter(most)

    async def run(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """``function(*arguments)`` in a thread."""
        return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True, limiter=self._limiter)
