"""What is counted and timed while a runtime runs, and how Prometheus reads it.

Counting is part of the runtime, so that an embedded one is measured as well: :class:`Tallies` sees every event and
every cycle of an actor, with numbers of its own and nothing else to import. Everything that is state (rows, mailboxes,
restarts, breakers) is not counted but read at a scrape; prometheus-client is imported then.
"""

from __future__ import annotations

from actors.metrics.tallies import Histogram, Tallies, TimedExecutor, timed

__all__ = ["Histogram", "Tallies", "TimedExecutor", "timed"]
