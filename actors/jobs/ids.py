"""Identifiers that sort by time: ULIDs in lower case, strictly increasing within one factory.

26 characters of Crockford's base 32: 48 bits of milliseconds, 80 bits of randomness (https://github.com/ulid/spec).
Ours rather than a library's because simulations must draw the random part from their own seed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import SystemRandom

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80
_LENGTH = 26

Randomness = Callable[[int], int]

_SYSTEM = SystemRandom()


class IdFactory:
    """Makes identifiers. ``getrandbits`` is the source of randomness, the system's by default."""

    def __init__(self, getrandbits: Randomness = _SYSTEM.getrandbits) -> None:
        self._getrandbits = getrandbits
        self._last = 0

    def new(self, now: datetime) -> str:
        """A new identifier, greater than every earlier one of this factory, even if the clock is set back."""
        fresh = (int(now.timestamp() * 1000) << _RANDOM_BITS) | self._getrandbits(_RANDOM_BITS)
        same_or_older = fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS
        self._last = value = self._last + 1 if same_or_older else fresh
        return _written(value)


def earliest(moment: datetime) -> str:
    """The lower bound of all identifiers made at ``moment`` or later."""
    return _written(int(moment.timestamp() * 1000) << _RANDOM_BITS)


def is_id(text: str) -> bool:
    """Whether ``text`` looks like a whole identifier."""
    return len(text) == _LENGTH and set(text) <= set(_ALPHABET)


def time_of(identifier: str) -> datetime | None:
    """When an identifier was made; the text may continue after it; None for any other text."""
    milliseconds = milliseconds_of(identifier)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds is not None else None
    except (OverflowError, ValueError):
        return None


def milliseconds_of(identifier: str) -> int | None:
    """When an identifier was made, in milliseconds since 1970; None for what is none of ours."""
    digits = [_ALPHABET.find(letter) for letter in identifier[:10]]
    if len(identifier) < _LENGTH or -1 in digits or digits[0] > 7:
        return None
    milliseconds = 0
    for digit in digits:
        milliseconds = milliseconds << 5 | digit
    return milliseconds


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)


def _written(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])


def submission_key(job_id: str, attempt: int) -> str:
    """The key under which a provider knows one attempt at a job, before which ``attempt`` attempts failed.

    A repeated try that spent no attempt has the same key.
    """
    return f"{job_id}-{attempt + 1}"


def attempt_of(key: str) -> int:
    """The number of the attempt, 1 for the first, that a submission key names."""
    return int(key.rpartition("-")[2])
