"""What is wrong with the name of a level that a person has typed."""

from __future__ import annotations

from actors.jobs.levels import LEVELS, normalised
from actors.jobs.suggestions import did_you_mean


def level_fault(level: str) -> str | None:
    """Why ``level`` is none, with a suggestion; None: it is one."""
    return None if normalised(level) in LEVELS else f"{level!r:.80} is not a level{did_you_mean(level, LEVELS)}"
