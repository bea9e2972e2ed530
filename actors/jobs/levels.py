"""Levels and priorities, and how waiting raises a priority."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

LOW, NORMAL, HIGH, URGENT, CRITICAL = 0, 10, 20, 30, 40

USER_LEVELS = {"viewer": LOW, "researcher": NORMAL, "lead": HIGH, "admin": URGENT}
LEVELS = tuple(USER_LEVELS)
"""The levels' names, lowest first: the order in which approvals compare them."""

AGEING_STEP = 10
"""What each full hour of waiting adds to the priority."""
AGEING_CAP = 40
HIGHEST_OVERRIDE = 50

_NOBODY = -1


def normalised(level: str) -> str:
    """A level's name as it is compared: lower case, no space around it."""
    return level.strip().lower()


def base_priority(user_levels: Iterable[str]) -> int:
    """The priority for these levels: the highest wins; an unknown level, and none at all, count as NORMAL."""
    return max((USER_LEVELS.get(normalised(level), NORMAL) for level in user_levels), default=NORMAL)


def effective_priority(base: int, override: int | None, queued_at: datetime, now: datetime) -> int:
    """The override, else the base priority, plus 10 for each full 60 min waited. Waiting raises it to at most 40, and
    never lowers it.

    Of two entries with the same base the older one never has the lower result; lanes rely on this.
    """
    start = base if override is None else override
    waited = now - queued_at
    hours = waited.days * 24 + waited.seconds // 3600
    if hours <= 0 or start >= AGEING_CAP:
        return start
    return min(start + AGEING_STEP * hours, AGEING_CAP)


def check_override(override: int | None) -> None:
    """Raises ``ValueError`` where ``override`` is neither None nor from 0 to 50."""
    if override is not None and not 0 <= override <= HIGHEST_OVERRIDE:
        raise ValueError(f"priority_override must be from 0 to {HIGHEST_OVERRIDE}, not {override}")


def level_reaches(level: str, required: str) -> bool:
    """Whether ``level`` is ``required`` or higher. An unknown level never is; an unknown requirement needs level
    admin.
    """
    return USER_LEVELS.get(normalised(level), _NOBODY) >= USER_LEVELS.get(normalised(required), USER_LEVELS["admin"])
