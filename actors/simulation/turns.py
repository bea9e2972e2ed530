"""Notices an event loop that turns without end at one moment.

A mock clock goes on only when nothing can run. So an actor that is due again and again, at once, keeps simulated time
where it is, and the world would never end; in reality it would take a whole processor core.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

MOST = 100_000
"""Turns of the loop at one moment; the busiest moment of a world has some thousands."""


class Turns(trio.abc.Instrument):
    """Counts the turns of the event loop since its clock went on, and calls ``give_up`` once there are too many."""

    def __init__(self, give_up: Callable[[], object]) -> None:
        self._give_up = give_up
        self._at, self._number = -1.0, 0
        self.endless = False

    def after_io_wait(self, timeout: float) -> None:
        """The loop turns once more."""
        if (now := trio.current_time()) != self._at:
            self._at, self._number = now, 0
        self._number += 1
        if self._number > MOST and not self.endless:
            self.endless = True
            self._give_up()
