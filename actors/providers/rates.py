"""A provider's rate limits, kept by waiting: a token bucket for each kind of request, on trio's clock."""

from __future__ import annotations

import attrs
import trio


@attrs.frozen
class Rate:
    """A rate limit: at most ``calls`` requests of this ``bucket`` in ``period`` seconds."""

    bucket: str
    calls: int
    period: float


class Bucket:
    """Allows at most ``rate.calls`` in any ``rate.period``, a tenth of them at once, in the order in which they
    came.
    """

    def __init__(self, rate: Rate) -> None:
        self._burst = max(1.0, rate.calls // 10)
        self._per_second = (rate.calls - self._burst + 1) / rate.period
        self._tokens = self._burst
        self._at: float | None = None
        self._turn = trio.Lock()

    async def take(self) -> None:
        """Wait until a request is allowed. A caller that is cancelled while waiting uses nothing."""
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
        self._tokens = min(self._burst, self._tokens + since * self._per_second)
