"""Secrets: how they are made, the only form in which they are stored; and codes, with which a browser signs in once.

The properties of a new token are checked here, too: each check returns the value as it is stored, or raises
``Refused``, which names the field.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable
from datetime import timedelta

from actors.access.peer import Peer
from actors.jobs import maxima
from actors.jobs.levels import LEVELS, normalised
from actors.jobs.refusal import invalid
from actors.jobs.suggestions import did_you_mean
from actors.kernel import Clock

PREFIX = "gr_"
"""The beginning of every token, so that scanners of repositories and logs can recognise it."""
LONGEST = 128
"""The most characters of a secret that are looked at; ours have 46."""
_BYTES = 32
_SHORTEST, _LONGEST_LIFE = 1e-6, 36_500 * 86_400.0
"""Seconds for which a token may hold: what a time can express, up to 100 years."""
CODE_LIFETIME = timedelta(minutes=5)
MOST_CODES = 64
"""The most codes that are valid at once; a new one then replaces the oldest."""


def fresh() -> str:
    """256 random bits as a text that can be part of a URL."""
    return secrets.token_urlsafe(_BYTES)


def hashed(secret: str) -> str:
    """SHA-256 in hex. Salt and stretching are for passwords: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hash_of(claimed: str) -> str:
    """The hash of what a client sends as a secret, of any length; ours are shorter than what is looked at."""
    return hashed(claimed[: LONGEST + 1])


def bearer_token(authorization: str) -> str:
    """The token in a header ``Authorization: Bearer TOKEN``; ``""`` if it is not such a header."""
    scheme, _space, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Codes:
    """The valid codes, only in memory: a restart of the supervisor ends them.

    Deadlines use the clock that nobody can set, so a step of the wall clock neither ends a code nor prolongs it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, tuple[Peer, float]] = {}

    def make(self, peer: Peer) -> str:
        """A code with which a browser signs in as ``peer``: once, within :data:`CODE_LIFETIME`."""
        code = fresh()
        self._open = {key: one for key, one in self._open.items() if self._clock.steady() < one[1]}
        while len(self._open) >= MOST_CODES:
            del self._open[next(iter(self._open))]
        self._open[hash_of(code)] = (peer, self._clock.steady() + CODE_LIFETIME.total_seconds())
        return code

    def knows(self, code: str) -> bool:
        """Whether this code is valid now."""
        return self._clock.steady() < self._open.get(hash_of(code), (None, -math.inf))[1]

    def take(self, code: str) -> Peer | None:
        """Use a code: the caller whom it signs in; None if it is unknown, used or too old."""
        peer, deadline = self._open.pop(hash_of(code), (None, -math.inf))
        return peer if self._clock.steady() < deadline else None


def known_level(level: str) -> str:
    """The level in its usual spelling. Raises ``Refused`` for an unknown one."""
    if (plain := normalised(level)) not in LEVELS:
        raise invalid("level", f"must be one of {', '.join(LEVELS)}{did_you_mean(plain[:80], LEVELS)}")
    return plain


def check_text(field: str, value: str, least: int = 0) -> None:
    """A name or a remark of ``least`` characters or more."""
    if not least <= len(value) <= maxima.NAME or not value.isprintable():
        raise invalid(field, f"must have {least} to {maxima.NAME} printable characters")


def known_teams(teams: Iterable[str]) -> tuple[str, ...]:
    """Names of teams, each once."""
    named = tuple(dict.fromkeys(teams))
    if len(named) > maxima.CHOICES:
        raise invalid("teams", f"must be at most {maxima.CHOICES}")
    for team in named:
        check_text("teams", team, least=1)
    return named


def lifetime_of(seconds: float | None) -> timedelta | None:
    """For how many seconds a token is valid; None: for ever."""
    if seconds is not None and not _SHORTEST <= seconds <= _LONGEST_LIFE:
        raise invalid("expires_in", "must be more than 0 seconds and at most 100 years")
    return None if seconds is None else timedelta(seconds=seconds)
