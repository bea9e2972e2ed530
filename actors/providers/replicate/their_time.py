"""Replicate's own time, by the ``Date`` of its answers: what the ``created_at`` of its jobs is compared with.

Our wall clock may be ahead when a job is handed over and put right before it is searched for. A search from our time on
would miss the job, and it would run twice. So Replicate's time is carried on by a clock that nobody can set.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from actors.providers.http_errors import date_of

GOOD_FOR = 3600.0
"""Seconds after which an answer's ``Date`` is too old to be carried on: clocks drift."""

_YEARS = range(2000, 3000)


class TheirTime:
    """What Replicate's clock shows. ``steady``: seconds that no step of a clock changes, sleep included."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._sent: datetime | None = None
        self._at: float | None = None

    def note(self, date: str | None) -> None:
        """Take the ``Date`` of an answer that was read now; one without leaves what is known."""
        sent = date_of(date)
        if sent is not None and sent.year not in _YEARS:
            sent = None
        if sent is not None or not self.known:
            self._sent, self._at = sent, self._steady()

    @property
    def known(self) -> bool:
        """Whether it is known, or known that the answers do not say it: neither for longer than :data:`GOOD_FOR`."""
        return self._at is not None and self._steady() - self._at < GOOD_FOR

    def now(self) -> datetime | None:
        """Their time, not later than it is: an answer is written before it is read."""
        if self._sent is None or self._at is None or not self.known:
            return None
        return self._sent + timedelta(seconds=max(self._steady() - self._at, 0.0))
