"""What a new token may say: each check gives the value as it is kept, or raises ``Refused`` naming the field."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from actors.jobs import maxima
from actors.jobs.levels import LEVELS, normalised
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import did_you_mean


def known_level(level: str) -> str:
    """One of the levels, in its usual spelling."""
    if (plain := normalised(level)) not in LEVELS:
        guess = did_you_mean(plain[:80], LEVELS)
        raise Refused(f"level: must be one of {', '.join(LEVELS)}{guess}", RefusalKind.INVALID, "level")
    return plain


def check_text(field: str, value: str, least: int = 0) -> None:
    """A name or a remark of ``least`` characters or more."""
    if not least <= len(value) <= maxima.NAME or not value.isprintable():
        message = f"{field}: must have {least} to {maxima.NAME} printable characters"
        raise Refused(message, RefusalKind.INVALID, field)


def known_teams(teams: Iterable[str]) -> tuple[str, ...]:
    """Names of teams, each once."""
    named = tuple(dict.fromkeys(teams))
    if len(named) > maxima.CHOICES:
        raise Refused(f"teams: must be at most {maxima.CHOICES}", RefusalKind.INVALID, "teams")
    for team in named:
        check_text("teams", team, least=1)
    return named


def lifetime_of(seconds: float | None) -> timedelta | None:
    """How long a token holds; None: for ever."""
    if seconds is None:
        return None
    try:
        lifetime = timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        lifetime = timedelta(0)
    if not timedelta(0) < lifetime <= timedelta(days=36_500):
        raise Refused(
            "expires_in: must be more than 0 seconds and at most 100 years", RefusalKind.INVALID, "expires_in"
        )
    return lifetime
