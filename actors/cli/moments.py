"""Times on the command line: an instant, a time of day, or an age."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from actors.cli.context import BadInput

_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def moment(text: str | None, option: str, now: datetime | None = None) -> str | None:
    """The instant that ``text`` means, in UTC: ``2026-11-29T22:00``, the last ``22:00``, or ``2h`` ago.

    Without an offset it is this computer's time. Raises :class:`BadInput`, which names ``option``.
    """
    if text is None:
        return None
    now = now or datetime.now(UTC)
    try:
        found = _last(text, now) or _instant(text) or now - _age(text)
        return found.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        example = "2026-11-29T22:00, 22:00, or an age such as 2h"
        raise BadInput(f"{option}: must be a time such as {example}, not {text!r:.80}") from None


def _age(text: str) -> timedelta:
    """How long ago ``text`` means. Raises ValueError."""
    from actors.jobs.quantities import seconds_of  # which loads attrs: only where it is needed

    return timedelta(seconds=seconds_of(text))


def _last(text: str, now: datetime) -> datetime | None:
    """The last time at which this computer's clock showed ``text``."""
    if (found := _OF_DAY.fullmatch(text)) is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    local = now.astimezone().replace(tzinfo=None)
    shown = local.replace(hour=hour, minute=minute, second=second, microsecond=0)
    if shown > local:
        shown -= timedelta(days=1)
    return shown.astimezone()


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        return None
