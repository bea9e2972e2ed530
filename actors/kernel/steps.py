"""Steps of the wall clock, found by comparing it with a clock that nobody can set.

A stored wait ("not before 12:30:40") is an instant of the wall clock in a row, which people can read. When that clock
is set forward or back by ten minutes, these instants must move by ten minutes too, or the waits would end too early or
too late. This module says when, and by how much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from actors.kernel.clock import Clock

TOLERANCE = timedelta(seconds=0.1)
"""Seconds that are no step: the two clocks are read one after the other, and a busy machine may pause between the
two.
"""

_READINGS = 5

LEAP = timedelta(hours=1)
"""Seconds: a step forward by more than this may be a mistake, so deletion by age waits after it (C6)."""


QUIET = timedelta(minutes=10)
"""How long nothing expires by the word of a clock that leapt, so that a wrong clock can be corrected (C6)."""

_BETWEEN = 1.0
"""Seconds after that time in which another leap does not begin it anew: what is due expires first."""


@attrs.frozen
class Step:
    """A step of the wall clock: at ``now`` it is later by ``by`` than it would be without the step (negative: earlier).

    ``forward``: if the step is a leap, how far the clock is ahead of its lowest state; else None. ``offset`` is for the
    watch itself.
    """

    now: datetime
    by: timedelta
    forward: timedelta | None
    offset: timedelta


class StepWatch:
    """Compares the two clocks of ``clock``, from its creation on. To be used where trio's time can be read.

    ``leapt``: called after the consequences of a leap forward were written.
    """

    def __init__(self, clock: Clock) -> None:
        self.leapt: Callable[[], None] = lambda: None
        self._clock = clock
        self._began = self._both()
        self._applied = self._lowest = timedelta()
        self._quiet_until = -math.inf

    def read(self) -> tuple[datetime, Step | None]:
        """The wall clock's time, and its step since the last step that was applied; None if there was none.

        Both come from one reading, so that what is written for a step fits the time that is written beside it.
        """
        now, steady = self._both()
        return now, self._step(now, steady)

    def _both(self) -> tuple[datetime, float]:
        """Both clocks at one moment: they are read again if the machine paused, or slept, between the two readings."""
        for _ in range(_READINGS):
            before, now = self._clock.steady(), self._clock.now()
            steady = self._clock.steady()
            if steady - before < TOLERANCE.total_seconds() / 2:
                break
        return now, steady

    def _step(self, now: datetime, steady: float) -> Step | None:
        wall, began = self._began
        offset = now - wall - timedelta(seconds=steady - began)
        forward = offset - self._lowest
        self._lowest = min(self._lowest, offset)
        by = offset - self._applied
        if abs(by) <= TOLERANCE:  # no leap either, though the noise of two clocks may carry a whole hour past its end
            return None
        leapt = forward if forward > LEAP else None
        if leapt is not None and steady >= self._quiet_until + _BETWEEN:
            self._quiet_until = steady + QUIET.total_seconds()
        return Step(now, by, leapt, offset)

    def applied(self, step: Step) -> None:
        """The consequences of ``step`` are committed: it is not reported again."""
        self._applied = step.offset
        if step.forward is not None:
            self._lowest = step.offset

    def quiet_seconds(self) -> float:
        """Seconds left of the time after a leap forward in which nothing expires, to the millisecond; 0: there is none.

        A leap during that time does not begin another.
        """
        self.read()
        return round(max(0.0, self._quiet_until - self._clock.steady()), 3)

    def remember_leap(self, ago: timedelta) -> None:
        """An earlier process noticed a leap forward so long before this watch was made."""
        self._quiet_until = self._began[1] + (QUIET - ago).total_seconds()
