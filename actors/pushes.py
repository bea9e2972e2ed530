"""Deliveries from providers: verified, taken once, applied, and then the job is read back."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import trio

from actors.jobs.deliveries import Delivered, DeliveryOutcome
from actors.jobs.refusal import RefusalKind, Refused
from actors.kernel import ActorRef
from actors.ledger.delivering import Delivering
from actors.operations import Operations
from actors.poller import Look, Wanted
from actors.providers.base import PushEvent, Rejected
from actors.providers.guard import Failure, GuardedProvider
from logconf import bind_correlation_id, get_correlation_id, get_logger

_TOLD_EVERY = 60.0
_told: WeakKeyDictionary[GuardedProvider, float] = WeakKeyDictionary()
"""When it was last told that a provider's deliveries cannot be verified."""
_logger = get_logger("actors.pushes")


class Pushes(Operations):
    """The operation of :class:`actors.control.Runtime` by which providers tell of their jobs."""

    _poller: ActorRef
    _wanted: Wanted

    async def push(
        self, provider: str, headers: Mapping[str, str], body: bytes, *, token: str | None = None
    ) -> DeliveryOutcome:
        """Take one delivery. Raises :class:`Refused` for a provider that is not there or cannot verify one now."""
        guarded = self._providers[self._known(provider)]
        event = await self._verified(guarded, headers, body)
        if isinstance(event, Rejected):
            _logger.debug("A delivery was rejected: %s", event.reason, extra={"provider": provider})
            return DeliveryOutcome.REJECTED
        delivered = await self.ledger.store.write(Delivering(provider, event, token, get_correlation_id()))
        _tell(provider, event, delivered)
        for key in delivered.look_at:
            self.look_at(provider, key)
        return delivered.outcome

    def look_at(self, provider: str, key: str) -> None:
        """Have the poller ask ``provider`` about one job now; however many are named at once, none is forgotten."""
        self._wanted.read_back(provider, key)
        self._poller.cast(Look())

    async def _verified(
        self, provider: GuardedProvider, headers: Mapping[str, str], body: bytes
    ) -> PushEvent | Rejected:
        """The event, or why it is none. What fails is tried once more with secrets that may have been rotated."""
        secrets = await _secrets(provider, fresh=False)
        event = provider.parse_push(headers, body, secrets, self._clock.now())
        if isinstance(event, Rejected) and (rotated := await _secrets(provider, fresh=True)) != secrets:
            event = provider.parse_push(headers, body, rotated, self._clock.now())
        return event


async def _secrets(provider: GuardedProvider, *, fresh: bool) -> tuple[str, ...]:
    secrets = await provider.push_secrets(fresh=fresh)
    if isinstance(secrets, Failure):
        now = trio.current_time()
        again = now - _told.get(provider, -math.inf) >= _TOLD_EVERY  # or strangers could fill the log meanwhile
        level = logging.WARNING if again else logging.DEBUG
        _told[provider] = now if again else _told[provider]
        _logger.log(level, "A delivery cannot be verified: %s", secrets.message, extra={"provider": provider.name})
        raise Refused(f"deliveries of {provider.name} cannot be verified now", RefusalKind.UNAVAILABLE)
    return secrets


def _tell(provider: str, event: PushEvent, delivered: Delivered) -> None:
    """One line for each delivery, under the correlation ID of its job where it has one (A14)."""
    extra = {
        "provider": provider,
        "delivery_id": event.delivery_id,
        "remote_id": event.remote_id,
        "claims": event.observation.raw_status if event.observation is not None else None,
        "outcome": delivered.outcome.value,
    }
    if delivered.job_id is None or delivered.correlation_id is None:
        _logger.info("A delivery was %s", delivered.outcome.value, extra=extra)
        return
    extra |= {"job_id": delivered.job_id, "status": delivered.status, "cycle_id": get_correlation_id()}
    with bind_correlation_id(delivered.correlation_id):
        _logger.info("A delivery told of job %s", delivered.job_id, extra=extra)
        if delivered.note is not None:
            level, text = delivered.note
            _logger.log(level, "Job %s: %s", delivered.job_id, text, extra=extra)
