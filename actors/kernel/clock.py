"""Time from two sources: trio's clock for waits, the wall clock for what people see.

Trio's clock stops while a laptop sleeps, and does not notice when the wall clock is set. The wall clock jumps, and must
never measure a wait. (A stored wait is an instant of the wall clock that is moved when that clock is set:
:mod:`actors.kernel.steps`.) So a wait for a wall-clock deadline consists of short waits on trio's clock, and the wall
clock is read after each.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta

import trio

#: Seconds between two looks at the wall clock: how late a step of it may be noticed.
LOOK_AGAIN = 30.0

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux alone has the first


class Clock(ABC):
    """The source of time for actors."""

    def monotonic(self) -> float:
        """Trio's seconds: for waits, back-off and leases. Comparable within one trio run only."""
        return trio.current_time()

    def steady(self) -> float:
        """Seconds that setting the wall clock does not change: steps are measured against them.

        Unlike :meth:`monotonic` they continue while the machine sleeps, if the system counts those seconds.
        """
        return self.monotonic()

    @abstractmethod
    def now(self) -> datetime:
        """Aware UTC: for records, and for deadlines that people see."""

    def look_again(self, deadline: datetime) -> float:
        """The trio time at which to read the wall clock next while waiting for ``deadline``: at the latest in 30 s."""
        remaining = (deadline - self.now()).total_seconds()
        return self.monotonic() + min(max(remaining, 0.0), LOOK_AGAIN)

    async def sleep_until(self, deadline: datetime) -> None:
        """Return once the wall clock has reached ``deadline``, also if the clock is set meanwhile. Always a
        checkpoint.
        """
        await trio.lowlevel.checkpoint()
        while self.now() < deadline:  # noqa: ASYNC110 - nothing signals that the wall clock was moved
            await trio.sleep_until(self.look_again(deadline))


class SystemClock(Clock):
    """The machine's clock."""

    def steady(self) -> float:
        """The seconds since the machine started, including those in which it slept."""
        return time.clock_gettime(_STEADY)

    def now(self) -> datetime:
        """The system's time, in UTC."""
        return datetime.now(UTC)


class VirtualClock(Clock):
    """A wall clock for tests and simulations: ``start`` plus trio's (mock) seconds plus what :meth:`move` added."""

    def __init__(self, start: datetime = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start must be aware, not {start!r}")
        self._start = start.astimezone(UTC)
        self._slept = timedelta()

    def steady(self) -> float:
        """Trio's seconds and those that :meth:`suspend` added."""
        return trio.current_time() + self._slept.total_seconds()

    def now(self) -> datetime:
        """The virtual wall time, in UTC."""
        return self._start + timedelta(seconds=trio.current_time())

    def move(self, by: timedelta) -> None:
        """Step the wall clock, forwards or backwards; trio's clock does not notice."""
        self._start += by

    def suspend(self, by: timedelta) -> None:
        """Let the machine sleep for ``by``: the wall clock advances, and only trio's clock does not notice."""
        self._start += by
        self._slept += by
