"""What is counted and timed while a runtime runs, and how Prometheus reads it.

Counting is part of the runtime, so that an embedded one is measured as well: :class:`Tallies` gets every event and
every cycle of an actor, keeps its own numbers, and imports nothing else. State (rows, mailboxes, restarts, breakers) is
not counted but read at each scrape; only then prometheus-client is imported.
"""

from __future__ import annotations

from actors.metrics.tallies import Histogram, Tallies, TimedExecutor, timed

__all__ = ["Histogram", "Tallies", "TimedExecutor", "timed"]
