"""Times when the event loop was blocked, as the watchdog's thread saw them. They are counted and shown by health."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from actors.metrics import Tallies
from supervision.watchdog import Stall, log_stall

SHOWN_SECONDS = 600.0
"""How long health shows a stall, in seconds: long enough for a monitor that looks every few minutes."""


class LoopStalls:
    """Records stalls. ``listeners`` are called with the text of each, in the watchdog's thread."""

    def __init__(self, tallies: Tallies) -> None:
        self.listeners: list[Callable[[str], object]] = []
        self._tallies = tallies
        self._last: tuple[float, str] | None = None

    def note(self, stall: Stall) -> None:
        """Log ``stall``, count it, and call the listeners. Called in the watchdog's thread."""
        log_stall(stall)
        self._tallies.loop_stalls += 1
        by = f" ({stall.child} was running)" if stall.child else ""
        text = f"the event loop did not turn for {stall.seconds:.0f} s or more{by}: see the log"
        self._last = (time.monotonic(), text)
        for listener in self.listeners:
            listener(text)

    def reasons(self) -> Iterator[str]:
        """Why the runtime is degraded: the last stall, for ten minutes."""
        if self._last is not None and time.monotonic() - self._last[0] < SHOWN_SECONDS:
            yield self._last[1]
