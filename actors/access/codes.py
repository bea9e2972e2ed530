"""Codes with which a browser signs in once: in memory alone, for a few minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs

from actors.access.peer import Peer
from actors.access.secret import fresh
from actors.kernel import Clock

LIFETIME = timedelta(minutes=5)
MOST = 64
"""Codes that are open at once; past that the oldest goes."""


@attrs.frozen
class _Code:
    peer: Peer
    deadline: float
    """By the clock that nobody can set: a step of the wall clock neither ends a code nor lets it live longer."""


class Codes:
    """The open codes. ``hash_of``: in which form a code is kept."""

    def __init__(self, clock: Clock, hash_of: Callable[[str], str]) -> None:
        self._clock = clock
        self._hash_of = hash_of
        self._open: dict[str, _Code] = {}

    def make(self, peer: Peer) -> str:
        """A code with which a browser signs in as ``peer``: once, within :data:`LIFETIME`."""
        code = fresh()
        self._open = {key: one for key, one in self._open.items() if self._holds(one)}
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        self._open[self._hash_of(code)] = _Code(peer, self._clock.steady() + LIFETIME.total_seconds())
        return code

    def knows(self, code: str) -> bool:
        """Whether this code signs somebody in now."""
        found = self._open.get(self._hash_of(code))
        return found is not None and self._holds(found)

    def take(self, code: str) -> Peer | None:
        """Whom it signs in, this once; None where it is unknown, used or too old."""
        found = self._open.pop(self._hash_of(code), None)
        return found.peer if found is not None and self._holds(found) else None

    def _holds(self, code: _Code) -> bool:
        return self._clock.steady() < code.deadline
