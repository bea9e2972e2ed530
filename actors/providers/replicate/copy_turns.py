"""Decides whose results are copied now, so that no job's copying delays another's until its results vanish.

Each job has one place, however many files it has, and keeps it for a turn; where others wait it then gives it up, and
goes on later with the files that are missing. A job that needed more than one turn is slow, and slow ones never have
all places: a new one waits for other new ones only. Among equals goes first who waited longest, then whose results
vanish first.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import datetime

import attrs
import trio

from actors.providers.base import Handle

PLACES = 16
"""Jobs whose results are copied at once."""

SLOW_PLACES = 8
"""Of those, by jobs that needed more than one turn."""

TURN = 120.0
"""Seconds for which a job keeps its place where others wait; twice as many each time, for what takes long."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds before a copy is tried again that failed."""


@attrs.frozen
class PendingCopy:
    """What is to be copied: the results of the job of submission key ``key``, which vanish at ``expires``."""

    key: str
    handle: Handle
    expires: datetime


@attrs.define(eq=False)
class Copying:
    """One job's copying. ``due``: when it may be tried (trio's time); ``queued``: since when it waits for a place."""

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
        """Whether it needed more than one turn."""
        return self.turns > 0

    @property
    def turn_ends(self) -> float:
        """Until when it keeps its place (trio's time); infinite where it has none."""
        return math.inf if self.began is None or self.gave_way else self.began + TURN * 2.0**self.turns


class Turns:
    """Decides which jobs are copied now. ``copy`` copies the results of one job; True: nothing remains to be done."""

    def __init__(self, copy: Callable[[PendingCopy], Awaitable[bool]]) -> None:
        self._copy = copy
        self._all: dict[str, Copying] = {}
        self._changed = trio.Event()

    def knows(self, key: str) -> bool:
        """Whether that is waited for or copied."""
        return key in self._all

    def add(self, pending: PendingCopy) -> None:
        """Copy this, too, unless it is known."""
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
        """The jobs that get a place now; where others still wait, jobs that had their turn are stopped."""
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
        """When a job may be tried again, or has had its turn while others wait."""
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
    """Jobs that have had their turn and give their places to waiting ones; slow jobs get slow places only."""
    over = sorted((one for one in running if one.turn_ends <= now), key=lambda one: one.turn_ends)
    new = sum(not one.is_slow for one in in_vain)
    chosen, left = over[:new], over[new:]
    slow = len(in_vain) - new
    to_slow = [one for one in left if one.is_slow][:slow]
    free = SLOW_PLACES - sum(one.is_slow for one in running)
    to_slow += [one for one in left if not one.is_slow][: max(0, min(free, slow - len(to_slow)))]
    return chosen + to_slow
