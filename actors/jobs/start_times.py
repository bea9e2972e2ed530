"""The earliest start of a job, as its request writes it: an instant, or a wait from its submission on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import attrs

from actors.jobs.quantities import seconds_of
from actors.jobs.wall_clock import is_time_of_day

LATEST = timedelta(days=366)
"""The farthest start: a year, and a day for a leap year."""

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
FORMS = "an instant such as 2026-01-31T22:00:00Z, or a wait such as +2h"


@attrs.frozen
class Start:
    """Not before ``at`` (None: at once). ``seconds``: the length of a wait; None for an instant of the wall clock.

    ``note``: what the submitter should know.
    """

    at: datetime | None = None
    seconds: float | None = None
    note: str | None = None


AT_ONCE = Start()


def fault_of(text: str, *, times_of_day: bool = False) -> str | None:
    """What is wrong with a start as it is written, in words that follow its name; None: nothing.

    ``times_of_day``: whether ``22:00`` is good, which only its submitter can turn into an instant.
    """
    if times_of_day and is_time_of_day(text):
        return None
    if is_time_of_day(text):
        return f"must be {FORMS}, not {text!r}: the command line and job files take times of day"
    try:
        _read(text)
    except ValueError as error:
        return str(error)
    return None


def start_of(text: str, now: datetime) -> Start:
    """The start that ``text`` means at ``now``. Raises ``ValueError`` in words that follow the field's name."""
    found = _read(text)
    relative = isinstance(found, timedelta)
    at = now + found if isinstance(found, timedelta) else found
    if at - now > LATEST:
        raise ValueError(f"must be within a year, not {text!r:.80}")
    if at <= now:
        return Start(note=None if relative else f"start_after {text} is past: it may start at once")
    return Start(at, found.total_seconds() if isinstance(found, timedelta) else None)


def _read(text: str) -> datetime | timedelta:
    if text.startswith("+"):
        return _wait(text)
    if _INSTANT.fullmatch(text):
        try:
            return datetime.fromisoformat(f"{text[:10]}T{text[11:]}".upper()).astimezone(UTC)
        except (ValueError, OverflowError):  # a thirteenth month; a moment outside the years 1 to 9999
            pass
    raise ValueError(f"must be {FORMS}, not {text!r:.80}")


def _wait(text: str) -> timedelta:
    """``+2h``, ``+1d12h``, ``+90`` (seconds)."""
    if text[1:2] not in tuple("0123456789"):
        raise ValueError(f"must be {FORMS}, not {text!r:.80}")
    return timedelta(seconds=min(seconds_of(text[1:]), 2 * LATEST.total_seconds()))
