"""``22:00`` as people mean it: the next instant at which a clock on the wall shows it.

If the clock is put forward and never shows it, the first instant after the change is meant; if it is put back and shows
it twice, the earlier of those that are still to come.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_DAYS = 4
"""Days to look at: today's may be over, and a change may leave a whole day out (Samoa, 2011)."""
_SECOND = timedelta(seconds=1)


def is_time_of_day(text: str) -> bool:
    """Whether ``text`` is a time of day: ``22:00``, ``7:05`` or ``22:00:30``."""
    return _TIME.fullmatch(text) is not None


def in_utc(text: str, now: datetime, zone: tzinfo | None = None) -> str:
    """A time of day as the instant meant by it, such as ``2026-01-31T21:00:00Z``; any other text as it is.

    ``now``: an aware time. ``zone``: where the clock hangs; None: this machine's own zone.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    hour, minute, second = (int(part or 0) for part in found.groups())
    return next_time(hour, minute, second, now, zone).isoformat().replace("+00:00", "Z")


def next_time(hour: int, minute: int, second: int, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The first instant after ``now`` at which a clock in ``zone`` shows this time of day, in UTC."""
    today = now.astimezone(zone).replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
    days = [today + timedelta(days=day) for day in range(-1, _DAYS)]
    return min(at for day in days for at in _instants(day, zone) if at > now)


def _instants(shown: datetime, zone: tzinfo | None) -> list[datetime]:
    """The instants at which the clock shows this date and time: one, two, or where it never does, the one after it."""
    first, second = (_utc(shown.replace(fold=fold), zone) for fold in (0, 1))
    if _shown(first, zone) == shown:
        return [first, second]
    # Never shown: by the rules before the change it would be `first`, by those after it `second`, which is earlier.
    before, after = second, first
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _shown(middle, zone) < shown:
            before = middle
        else:
            after = middle
    return [after]


def _utc(shown: datetime, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp((shown if zone is None else shown.replace(tzinfo=zone)).timestamp(), UTC)


def _shown(instant: datetime, zone: tzinfo | None) -> datetime:
    """What the clock shows then; ``fold`` is of no concern to comparisons."""
    return instant.astimezone(zone).replace(tzinfo=None)
