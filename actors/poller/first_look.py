"""Jobs of which a read is due that nobody else repeats: of a provider that is not polled all at each start, and those
that were named, as by a delivery, and could not be read then (B6).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import trio

LONGEST_GAP = 900.0
"""Seconds between two tries about the same jobs, at the most."""


class FirstLook:
    """Which jobs are still to be read, by their keys. ``beat``: seconds until those that could not be read are
    requested again; doubled each time.
    """

    def __init__(self, beat: float) -> None:
        self._keys: frozenset[str] = frozenset()
        self._current: frozenset[str] = frozenset()
        self._beat = self._gap = beat
        self._due = math.inf

    def begin(self, keys: Iterable[str]) -> None:
        """All of these were there at the start."""
        self._keys = self._current = frozenset(keys)
        self._gap = self._beat
        self._due = trio.current_time() if self._keys else math.inf

    def add(self, keys: Iterable[str]) -> None:
        """Read these again, too."""
        self._keys |= frozenset(keys)
        if self._keys and self._due == math.inf:
            self._gap = self._beat
            self._due = trio.current_time() + self._gap

    @property
    def next_due(self) -> float:
        """Trio time of the next try; infinite where nothing is left to do."""
        return self._due

    def due(self) -> frozenset[str]:
        """The keys to request now."""
        self._current = self._keys if trio.current_time() >= self._due else frozenset()
        return self._current

    def note(self, in_flight: Collection[str], read: Collection[str]) -> None:
        """``in_flight``: keys of the jobs that run according to the rows; ``read``: of those that were just read."""
        current, self._current = self._current, frozenset()
        unread = self._keys.difference(read)
        self._keys = frozenset(key for key in unread if key not in current or key in in_flight)
        if not self._keys:
            self._due = math.inf
        elif current:
            self._due = trio.current_time() + self._gap
            self._gap = min(2 * self._gap, LONGEST_GAP)
