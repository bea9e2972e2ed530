"""Steps of the wall clock, found by comparing it with a clock that nobody can set.

A wait that is stored ("not before 12:30:40") stands in the rows as an instant of the wall clock, which people can read.
When that clock is put forward or back by ten minutes, the instants of the waits must move by ten minutes too, or the
waits would end early or late. This says when, and by how much.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from actors.kernel.clock import Clock

TOLERANCE = timedelta(seconds=0.1)
"""What is no step: the two clocks are read one after the other, and a busy machine may pause between the two."""

_READINGS = 5

LEAP = timedelta(hours=1)
"""A step forward by more than this may be a mistake: what deletes by age waits after it (C6)."""


@attrs.frozen
class Step:
    """The wall clock, now at ``now``, stands ``by`` later than it would without a step (negative: earlier).

    ``forward``: how far it is ahead of where it stood lowest, where that is a leap; None where it is none. ``offset``
    is for the watch itself.
    """

    now: datetime
    by: timedelta
    forward: timedelta | None
    offset: timedelta


class StepWatch:
    """Compares the two clocks of ``clock``, from its creation on. To be used where trio's time can be read.

    ``leapt``: called after what followed from a leap forward was written.
    """

    def __init__(self, clock: Clock) -> None:
        self.leapt: Callable[[], None] = lambda: None
        self._clock = clock
        self._began = self._both()
        self._applied = self._lowest = timedelta()
        self._leapt: float | None = None

    def read(self) -> tuple[datetime, Step | None]:
        """The wall clock's time, and what it was stepped by since the last step that was applied; None where nothing.

        Both from one reading: what is written for a step fits the time that is written beside it.
        """
        now, steady = self._both()
        return now, self._step(now, steady)

    def _both(self) -> tuple[datetime, float]:
        """Both clocks at one moment: read again where the machine paused, or slept, between the two."""
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
        leapt = forward if forward > LEAP else None
        if leapt is not None and self._leapt is None:
            self._leapt = steady
        by = offset - self._applied
        if abs(by) <= TOLERANCE and leapt is None:
            return None
        return Step(now, by, leapt, offset)

    def applied(self, step: Step) -> None:
        """What had to follow from ``step`` is committed: it is not reported again."""
        self._applied = step.offset
        if step.forward is not None:
            self._lowest = step.offset

    def since_leap(self) -> float:
        """Seconds since the last leap forward was noticed; infinite where there was none, or :meth:`forget_leap`."""
        self.read()
        return float("inf") if self._leapt is None else self._clock.steady() - self._leapt

    def remember_leap(self, ago: float) -> None:
        """An earlier process noticed a leap forward so many seconds before this watch was made."""
        self._leapt = self._began[1] - ago

    def forget_leap(self) -> None:
        """The leap was waited out."""
        self._leapt = None
