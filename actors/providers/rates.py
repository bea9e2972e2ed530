"""What a provider allows, kept by waiting: a token bucket for each kind of request, on trio's clock."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio


@attrs.frozen
class Rate:
    """What a provider allows: at most ``calls`` requests of this ``bucket`` in ``period`` seconds."""

    bucket: str
    calls: int
    period: float


class Bucket:
    """Lets at most ``rate.calls`` through in any ``rate.period``, a tenth of them at once, in the order they came."""

    def __init__(self, rate: Rate) -> None:
        self._room = max(1.0, rate.calls // 10)
        self._per_second = (rate.calls - self._room + 1) / rate.period
        self._tokens = self._room
        self._at: float | None = None
        self._turn = trio.Lock()

    async def take(self) -> None:
        """Wait for a place. A caller who is cancelled while waiting takes none."""
        async with self._turn:
            self._refill()
            if (missing := 1 - self._tokens) > 0:
                await trio.sleep(missing / self._per_second)
                self._refill()
            self._tokens -= 1

    def _refill(self) -> None:
        now = trio.current_time()
        since = 0.0 if self._at is None else now - self._at
        self._at = now
        self._tokens = min(self._room, self._tokens + since * self._per_second)


class Rates:
    """The buckets of one provider, by name; a name without a rate is not bounded."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        self._buckets = {rate.bucket: Bucket(rate) for rate in rates}

    async def take(self, bucket: str) -> None:
        """Wait for a place in ``bucket``."""
        if bucket in self._buckets:
            await self._buckets[bucket].take()
