"""Cancel requests at one provider: sent once, and repeated only to a job that was seen to go on (B14)."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Sequence

import attrs
import trio

from actors.ledger.queries import InFlight
from actors.poller.statuses import log_job
from actors.providers.base import CancelAck
from actors.providers.breaker import BreakerOpen
from actors.providers.guard import Failure, GuardedProvider
from logconf import bind_correlation_id

_AGAIN = 1.0
_AGAIN_AT_MOST = 60.0
"""The most seconds from a request to the look that may lead to the next one; they double each time, up to a minute."""


@attrs.define
class _Sent:
    """``due``: when to look whether the job still runs. ``taken``: the provider answered the request."""

    due: float
    gap: float
    taken: bool


class Cancels:
    """The requests that were sent to ``provider`` since this began; after a restart they are sent again, which does
    no harm.
    """

    def __init__(self, provider: GuardedProvider) -> None:
        self._provider = provider
        self._sent: dict[str, _Sent] = {}

    @property
    def next_due(self) -> float:
        """Trio time of the next look that is due; infinite where none is."""
        return min((sent.due for sent in self._sent.values()), default=math.inf)

    def keep(self, keys: Collection[str]) -> None:
        """Forget all but these: the others have ended."""
        self._sent = {key: sent for key, sent in self._sent.items() if key in keys}

    def unsent(self, in_flight: Sequence[InFlight]) -> list[InFlight]:
        """The jobs to send a request for now: none was sent, or it failed a while ago."""
        return [one for one in _cancelled(in_flight) if one.key not in self._sent or self._is_due(one, taken=False)]

    def to_look_at(self, in_flight: Sequence[InFlight]) -> list[InFlight]:
        """The jobs for which the provider accepted the request a while ago: it is sent again only if they still run."""
        return [one for one in _cancelled(in_flight) if self._is_due(one, taken=True)]

    def put_off(self, in_flight: Sequence[InFlight]) -> None:
        """Look at these later: the provider could not be asked about them."""
        for one in in_flight:
            self._note(one.key, taken=True)

    async def send(self, one: InFlight) -> None:
        """Ask for an end; only an observation ends the job."""
        assert one.submission.handle is not None
        with bind_correlation_id(one.job.correlation_id):
            answer = await self._provider.cancel(one.key, one.submission.handle)
        if isinstance(answer, Failure) and isinstance(answer.cause, BreakerOpen):  # it was not sent
            self._sent[one.key] = _Sent(trio.current_time() + (answer.retry_after or _AGAIN), 0.0, taken=False)
            return
        if isinstance(answer, Failure):
            log_job(one, f"could not be cancelled yet: {answer.message}", logging.DEBUG, self._provider.name)
        elif answer is CancelAck.NOT_SUPPORTED:
            text = f"provider {self._provider.name} cannot cancel; the job goes on to its end"
            log_job(one, text, logging.WARNING, self._provider.name)
        self._note(one.key, taken=not isinstance(answer, Failure))

    def _is_due(self, one: InFlight, *, taken: bool) -> bool:
        sent = self._sent.get(one.key)
        return sent is not None and sent.taken is taken and sent.due <= trio.current_time()

    def _note(self, key: str, *, taken: bool) -> None:
        before = self._sent.get(key)
        gap = _AGAIN if before is None else min(max(2 * before.gap, _AGAIN), _AGAIN_AT_MOST)
        self._sent[key] = _Sent(trio.current_time() + gap, gap, taken)


def _cancelled(in_flight: Sequence[InFlight]) -> list[InFlight]:
    return [one for one in in_flight if one.job.cancel_requested_at is not None]
