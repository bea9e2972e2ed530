"""Decides which jobs' results are copied now, so that a slow job does not delay others until theirs are deleted.

Each job has one place, however many files it has, and keeps it for a limited time (a turn). If others wait then, it
gives the place up, and continues later with the files that are missing. A job that needed more than one turn is slow.
Slow jobs never have all places, so that a new job waits for other new jobs only. Among equal jobs, the one that waited
longest goes first, then the one whose results are deleted first.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import datetime

import attrs
import trio

from actors.providers.base import Handle

PLACES = 16
"""How many jobs' results are copied at once."""

SLOW_PLACES = 8
"""How many of these places jobs may have that needed more than one turn."""

TURN = 120.0
"""Seconds for which a job keeps its place where others wait. Each further turn of the same job is twice as long."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds before a copy is tried again that failed."""


@attrs.frozen
class PendingCopy:
    """A copy to be made of the results of the job ``key`` (a submission key), which are deleted at ``expires``.

    ``trail``: the job's correlation ID; None: not known, because an earlier process submitted it.
    """

    key: str
    handle: Handle
    expires: datetime
    trail: str | None = None


@attrs.define(eq=False)
class Copying:
    """The state of one job's copy. ``due``: when it may be tried (trio's time). ``queued``: since when it waits for a
    place.
    """

    pending: PendingCopy
    queued: float
    due: float = -math.inf
    pause: float = FIRST_PAUSE
    turns: int = 0
    began: float | None = None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    gave_way: bool = False

    @property
    def is_slow(self) -> bool:
        """Whether the job needed more than one turn."""
        return self.turns > 0

    @property
    def turn_ends(self) -> float:
        """How long the job keeps its place (trio's time); infinite if it has none."""
        return math.inf if self.began is None or self.gave_way else self.began + TURN * 2.0**self.turns


class Turns:
    """Decides which jobs are copied now. ``copy`` copies the results of one job, and returns True when nothing is
    left to do.
    """

    def __init__(self, copy: Callable[[PendingCopy], Awaitable[bool]]) -> None:
        self._copy = copy
        self._all: dict[str, Copying] = {}
        self._changed = trio.Event()

    def knows(self, key: str) -> bool:
        """Return whether this copy waits or is being made."""
        return key in self._all

    def add(self, pending: PendingCopy) -> None:
        """Add a copy to be made, unless it is known already."""
        if pending.key not in self._all:
            self._all[pending.key] = Copying(pending, trio.current_time())
            self._changed.set()

    async def run(self) -> None:
        """Copy, until cancelled."""
        for one in self._all.values():  # those of a run before this one were cut off
            one.began = None
        async with trio.open_nursery() as nursery:
            while True:
                self._changed = trio.Event()
                for one in self._next():
                    one.began, one.gave_way, one.scope = trio.current_time(), False, trio.CancelScope()
                    nursery.start_soon(self._one, one)
                with trio.move_on_at(self._look_again()):
                    await self._changed.wait()

    def _next(self) -> list[Copying]:
        """Return the jobs that get a place now. Where others still wait, jobs whose turn is over are stopped."""
        now = trio.current_time()
        running = [one for one in self._all.values() if one.began is not None]
        ready = [one for one in self._all.values() if one.began is None and one.due <= now]
        ready.sort(key=lambda one: (one.queued, one.pending.expires))
        slow = SLOW_PLACES - sum(one.is_slow for one in running)
        free = PLACES - len(running)
        chosen: list[Copying] = []
        for one in ready:
            if len(chosen) < free and (not one.is_slow or slow > 0):
                chosen.append(one)
                slow -= one.is_slow
        in_vain = [one for one in ready if one not in chosen]
        for one in _giving_way(running, in_vain, now):
            one.gave_way = True
            one.scope.cancel()
        return chosen

    def _look_again(self) -> float:
        """Return when a job may be tried again, or when a turn is over while others wait."""
        now = trio.current_time()
        waiting = [one for one in self._all.values() if one.began is None]
        times = [one.due for one in waiting if one.due > now]
        if any(one.due <= now for one in waiting):
            times += [one.turn_ends for one in self._all.values() if one.turn_ends > now]
        return min(times, default=math.inf)

    async def _one(self, one: Copying) -> None:
        over = False
        with one.scope:
            over = await self._copy(one.pending)
        now = trio.current_time()
        one.began = None
        if over:
            self._all.pop(one.pending.key, None)
        elif one.gave_way:
            one.turns += 1
            one.queued = now
        else:
            one.due = one.queued = now + one.pause
            one.pause = min(2 * one.pause, LONGEST_PAUSE)
        self._changed.set()


def _giving_way(running: list[Copying], in_vain: list[Copying], now: float) -> list[Copying]:
    """Return the jobs whose turn is over and who give their places to waiting jobs. Slow jobs get slow places only."""
    over = sorted((one for one in running if one.turn_ends <= now), key=lambda one: one.turn_ends)
    new = sum(not one.is_slow for one in in_vain)
    chosen, left = over[:new], over[new:]
    slow = len(in_vain) - new
    to_slow = [one for one in left if one.is_slow][:slow]
    free = SLOW_PLACES - sum(one.is_slow for one in running)
    to_slow += [one for one in left if not one.is_slow][: max(0, min(free, slow - len(to_slow)))]
    return chosen + to_slow
