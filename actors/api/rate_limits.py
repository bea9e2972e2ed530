"""Limits for each caller: requests per minute, and open streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio
from starlette.exceptions import HTTPException

_FORGOTTEN_ABOVE = 4096


class RateLimiter:
    """Allows ``per_minute`` requests for each key, in a burst or evenly: a bucket that fills again as time passes."""

    def __init__(self, per_minute: int) -> None:
        self._most = float(per_minute)
        self._each = 60.0 / per_minute
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Take one request. Returns 0, or the seconds after which one is allowed."""
        now = trio.current_time()
        level = self._level(key, now)
        if level < 1:
            return (1 - level) * self._each
        if len(self._levels) >= _FORGOTTEN_ABOVE:
            self._forget_the_full(now)
        self._levels[key] = (level - 1, now)
        return 0.0

    def _level(self, key: str, now: float) -> float:
        level, then = self._levels.get(key, (self._most, now))
        return min(self._most, level + (now - then) / self._each)

    def _forget_the_full(self, now: float) -> None:
        kept = {key: value for key, value in self._levels.items() if self._level(key, now) < self._most}
        self._levels = kept if len(kept) < _FORGOTTEN_ABOVE // 2 else {}  # or each request would look through all


def check_rate(wait: float) -> None:
    """Raises ``HTTPException`` 429 if the caller must wait this many seconds, more than 0."""
    if wait > 0:
        headers = {"Retry-After": str(int(wait) + 1)}
        raise HTTPException(429, "too many requests (http.requests_per_minute)", headers)


SIGN_IN = "sign_in_rate"
"""The key in a request's state for its :class:`SignInRate`; a request on the Unix socket has none."""


@attrs.frozen
class SignInRate:
    """The rate of a sign-in: the address must ``wait`` this many seconds, unless the secret is valid."""

    rates: RateLimiter
    wait: float

    def check(self, key: str | None, *, good: bool) -> None:
        """Check the rate. ``good``: whether the secret is valid; ``key``: that of its token. Raises
        ``HTTPException`` 429.
        """
        if not good:
            check_rate(self.wait)
        elif key is not None:
            check_rate(self.rates.take(key))


def _too_many_streams(whose: str) -> HTTPException:
    return HTTPException(503, whose, {"Retry-After": "10"})


class StreamLimit:
    """Allows ``in_all`` open streams, and ``of_one`` for each key."""

    def __init__(self, in_all: int, of_one: int) -> None:
        self._in_all = in_all
        self._of_one = of_one
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, key: str) -> Iterator[None]:
        """Count a stream as open for the length of the block. Raises ``HTTPException`` 503."""
        if self._open[key] >= self._of_one:
            raise _too_many_streams(f"{self._of_one} streams of yours are open already (http.max_streams_per_token)")
        if self._open.total() >= self._in_all:
            raise _too_many_streams(f"{self._in_all} streams are open already (http.max_streams)")
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
