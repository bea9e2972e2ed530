"""The ten minutes after a leap of the wall clock, in which nothing expires because of the leap alone (C6), as far as
the checker is sure of them.

A leap counts from the moment at which the runtime notices it, which is after the jump: what expires sooner than ten
minutes after the jump expires too soon. The checker is sure where no other jump forward came shortly before, whose ten
minutes would go on instead; over a restart, only if the process before had noticed each jump: it wrote an event since.
An event whose time is that of just before the leap was decided before it, though it may be written after it, in the
same moment.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

LEAP, QUIET, NOTICED = 3600.0, 600.0, 120.0
"""Seconds: a jump forward by more is a leap; what follows it; within which a running process notices a jump."""

_ROUNDED = 0.01
"""Seconds by which the runtime may end them sooner."""


class Quiet:
    """What the checker knows of jumps. ``elapsed``: simulated seconds since the beginning of the world."""

    def __init__(self) -> None:
        self._until = self._forward_at = -math.inf
        self._leap = timedelta()
        self._before: datetime | None = None
        self._jumped_at = -math.inf
        self._noticed = True
        self._from: datetime | None = None

    def jumped(self, elapsed: float, seconds: float, now: datetime) -> None:
        """The wall clock was moved by ``seconds``, to ``now``."""
        self._jumped_at, self._from, self._noticed = elapsed, now, False
        if seconds <= 0:
            return
        if elapsed - self._forward_at >= QUIET + NOTICED:
            self._until = elapsed + QUIET if seconds > LEAP + 1 else -math.inf
            self._leap = timedelta(seconds=seconds)
            self._before = now - self._leap
        self._forward_at = elapsed

    def wrote(self, elapsed: float, time: datetime) -> None:
        """An event was written, and has this time."""
        if self._from is not None and self._from <= time <= self._from + timedelta(seconds=elapsed - self._jumped_at):
            self._noticed = True

    def started(self) -> None:
        """A process starts."""
        if not self._noticed:
            self._until = -math.inf

    def forbids(self, elapsed: float, time: datetime, due: datetime) -> bool:
        """Whether what was found ``due`` at ``time``, of the wall clock, was so by the leap alone: it may not expire
        yet.
        """
        before_it = self._before is not None and time <= self._before <= time + timedelta(seconds=_ROUNDED)
        return elapsed < self._until - _ROUNDED and not before_it and time - self._leap < due
