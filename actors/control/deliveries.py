"""Deliveries (webhooks received): each is verified while it is read, applied once, and then its job is asked about."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterable, Mapping

import attrs
import trio

from actors.control.context import Context, Subject
from actors.control.logs import Recheck
from actors.jobs.deliveries import MOST_READ, Delivered, DeliveryNotRead, DeliveryOutcome
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.deliveries import deliver, take_hint
from actors.metrics import Tallies
from actors.providers.deliveries import DeliveryEvent, DeliveryHint, DeliveryReport, Rejected
from actors.providers.guard import Failure, GuardedProvider
from logconf import bind_correlation_id, get_correlation_id, get_logger

_logger = get_logger("actors.control.deliveries")

MOST_KEPT = 1 << 20
"""The most bytes of a delivery that are kept and parsed; of a longer one only the signature is checked."""

_WARN_AGAIN = 60.0
"""Seconds between two warnings that deliveries cannot be verified, because anybody can cause one."""


@attrs.define
class _Kept:
    """The beginning of a body, and the length of the whole body."""

    content: bytearray = attrs.field(factory=bytearray)
    size: int = 0

    def add(self, piece: bytes) -> None:
        """Add the next bytes. Raises :class:`DeliveryNotRead` if they exceed what is read of one delivery."""
        self.size += len(piece)
        if self.size > MOST_READ:
            raise DeliveryNotRead(DeliveryOutcome.TOO_LONG)
        self.content += piece[: MOST_KEPT - len(self.content)]

    @property
    def is_whole(self) -> bool:
        return self.size == len(self.content)


class Deliveries(Subject):
    """Takes the deliveries of providers, each once. ``tallies`` counts them by outcome; ``recheck`` asks the poller."""

    def __init__(self, context: Context, tallies: Tallies, recheck: Recheck) -> None:
        super().__init__(context)
        self._tallies = tallies
        self._recheck = recheck
        self._warned_at = -math.inf

    async def take(
        self,
        provider: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes],
        *,
        token: str | None = None,
    ) -> DeliveryOutcome:
        """Take one delivery, once. ``headers`` have lower-case names; ``token`` is the one in its URL.

        ``body``: the whole body, or an iterator of its pieces, of which at most :data:`MOST_KEPT` bytes are held. A
        delivery that cannot be verified is counted and not logged. Raises :class:`Refused` for an unknown provider and
        for one that cannot verify a delivery now, and whatever reading ``body`` raises except ``DeliveryNotRead``.
        """
        guarded = self._context.provider(provider)
        try:
            outcome = await self._take(guarded, headers, _InOnePiece(body) if isinstance(body, bytes) else body, token)
        except DeliveryNotRead as stopped:
            outcome = stopped.outcome
        except Refused:
            self._tallies.deliveries[DeliveryOutcome.UNVERIFIED] += 1
            raise
        self._tallies.deliveries[outcome] += 1
        return outcome

    async def _take(
        self, provider: GuardedProvider, headers: Mapping[str, str], body: AsyncIterable[bytes], token: str | None
    ) -> DeliveryOutcome:
        event = await self._verified(provider, headers, body)
        if isinstance(event, DeliveryOutcome):
            return event
        if isinstance(event, Rejected):
            _logger.debug("A delivery was rejected: %s", event.reason, extra={"provider": provider.name})
            return DeliveryOutcome.REJECTED
        if isinstance(event, DeliveryHint):
            delivered = await self._ledger.write(take_hint, provider.name, event, token)
        else:
            delivered = await self._ledger.write(deliver, provider.name, event, token)
        _log_delivery(provider.name, event, delivered)
        for key in delivered.look_at:
            self._recheck(provider.name, key)
        return delivered.outcome

    async def _verified(
        self, provider: GuardedProvider, headers: Mapping[str, str], body: AsyncIterable[bytes]
    ) -> DeliveryReport | DeliveryOutcome:
        """The event of a delivery, or the outcome by which it is counted instead.

        If the verification fails, it is tried once more with secrets that may have been rotated. If the body is no
        longer there to be verified again, the sender's next try is waited for.
        """
        secrets = await self._secrets(provider, fresh=False)
        now = self._context.clock.now()
        reading = provider.read_delivery(headers, secrets, now)
        if isinstance(reading, Rejected):
            return reading
        kept = _Kept()
        async for piece in body:
            kept.add(piece)
            reading.add(piece)
        event = reading.done(bytes(kept.content), kept.size)
        if not isinstance(event, Rejected) or (rotated := await self._secrets(provider, fresh=True)) == secrets:
            return event
        if not kept.is_whole:
            return DeliveryOutcome.UNVERIFIED
        reading = provider.read_delivery(headers, rotated, now)
        if isinstance(reading, Rejected):
            return reading
        reading.add(bytes(kept.content))
        return reading.done(bytes(kept.content), kept.size)

    async def _secrets(self, provider: GuardedProvider, *, fresh: bool) -> tuple[str, ...]:
        secrets = await provider.delivery_secrets(fresh=fresh)
        if isinstance(secrets, Failure):
            now = trio.current_time()
            level = logging.WARNING if now - self._warned_at >= _WARN_AGAIN else logging.DEBUG
            self._warned_at = now if level == logging.WARNING else self._warned_at
            extra = {"provider": provider.name}
            _logger.log(level, "A delivery cannot be verified: %s", secrets.message, extra=extra)
            raise Refused(f"deliveries of {provider.name} cannot be verified now", RefusalKind.UNAVAILABLE)
        return secrets


@attrs.define
class _InOnePiece:
    """A complete body as an iterator. (A generator would have to be closed if it is left early.)"""

    body: bytes | None

    def __aiter__(self) -> _InOnePiece:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.body is None:
            raise StopAsyncIteration
        body, self.body = self.body, None
        return body


def _log_delivery(provider: str, event: DeliveryEvent | DeliveryHint, delivered: Delivered) -> None:
    """Log one line for each delivery, under the correlation ID of its job if it has one."""
    claims = (
        event.observation.raw_status if isinstance(event, DeliveryEvent) and event.observation is not None else None
    )
    extra = {
        "provider": provider,
        "delivery_id": event.delivery_id,
        "remote_id": event.remote_id,
        "claims": claims,
        "outcome": delivered.outcome.value,
    }
    if delivered.job_id is None or delivered.correlation_id is None:
        _log_unreadable(event, delivered, "one of the jobs there", extra)
        if delivered.outcome is DeliveryOutcome.DAMAGED:
            _logger.warning(
                "A delivery about job %s changes nothing: its row is damaged", delivered.job_id, extra=extra
            )
        else:
            _logger.info("A delivery was %s", delivered.outcome.value, extra=extra)
        return
    extra |= {"job_id": delivered.job_id, "status": delivered.status, "cycle_id": get_correlation_id()}
    with bind_correlation_id(delivered.correlation_id):
        _log_unreadable(event, delivered, f"job {delivered.job_id}", extra)
        _logger.info("A delivery is about job %s", delivered.job_id, extra=extra)
        if delivered.note is not None:
            level, text = delivered.note
            _logger.log(level, "Job %s: %s", delivered.job_id, text, extra=extra)


def _log_unreadable(
    event: DeliveryEvent | DeliveryHint, delivered: Delivered, about: str, extra: Mapping[str, object]
) -> None:
    if isinstance(event, DeliveryHint) and delivered.outcome is DeliveryOutcome.UNREADABLE:
        text = "A signed delivery about %s could not be read, so the provider is asked: %s"
        _logger.warning(text, about, event.reason, extra=dict(extra))
