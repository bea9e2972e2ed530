"""Durations between recorded times: the clock may have been set back between the two."""

from __future__ import annotations

from datetime import datetime


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Seconds from ``earlier`` to ``later``; 0 where their order is the other way round, never less."""
    return max(0.0, (later - earlier).total_seconds())
