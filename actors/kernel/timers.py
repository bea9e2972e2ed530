"""Timers.

Messages that an actor sends to itself later. No task each: the actor's own wait ends at the next due one.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Any

import attrs
import trio


@attrs.define(eq=False)
class Timer:
    """One message to come, from ``Actor.send_after`` or ``send_every``. It ends with its incarnation."""

    message: Any
    due: float
    interval: float | None
    cancelled: bool = False

    def cancel(self) -> None:
        """Send no (further) message. One that is queued already is still handled. Idempotent."""
        self.cancelled = True


def next_beat(beat: float, interval: float, now: float) -> float:
    """The first beat after ``now``, if ``beat`` is one that is due. What rounding puts just after ``now`` is over."""
    beat += interval * ((now - beat) // interval + 1)
    return beat if beat - now > interval * 1e-9 else beat + interval


class Timers:
    """The timers of one incarnation, the next due first; those due together in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def add(self, message: Any, delay: float, interval: float | None = None) -> Timer:
        """Set one, due in ``delay`` seconds and then every ``interval``.

        Raises ValueError where that is no time.
        """
        if not (math.isfinite(delay) and delay >= 0):
            raise ValueError(f"a delay is seconds, zero or more, not {delay!r}")
        if interval is not None and not (math.isfinite(interval) and interval > 0):
            raise ValueError(f"an interval is seconds, more than zero, not {interval!r}")
        timer = Timer(message, trio.current_time() + delay, interval)
        self._push(timer)
        return timer

    def next_due(self) -> float:
        """Trio time of the next one; infinity without any."""
        while self._heap and self._heap[0][2].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take_due(self) -> list[Any]:
        """The messages that are due now.

        The beat of a repeated one is fixed; beats that were missed are left out.
        """
        messages: list[Any] = []
        if not self._heap:
            return messages
        now = trio.current_time()
        while self.next_due() <= now:
            timer = heapq.heappop(self._heap)[2]
            messages.append(timer.message)
            if timer.interval is not None:
                timer.due = next_beat(timer.due, timer.interval, now)
                self._push(timer)
        return messages

    def _push(self, timer: Timer) -> None:
        heapq.heappush(self._heap, (timer.due, next(self._order), timer))
