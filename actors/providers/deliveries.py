"""Deliveries read piece by piece, whatever the provider can do of it, and guarded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs

from actors.providers.answers import checked_delivery
from actors.providers.base import Provider, Rejected
from actors.providers.classify import Failure
from actors.providers.optional import DeliveryReading, DeliveryReport


@attrs.frozen
class WholeDelivery:
    """The reading of a provider that has only :meth:`Provider.parse_delivery`: what is not kept cannot be verified."""

    provider: Provider
    headers: Mapping[str, str]
    secrets: Sequence[str]
    now: datetime

    def add(self, piece: bytes) -> None:
        """Nothing to do before the end."""

    def done(self, kept: bytes, size: int) -> DeliveryReport:
        """What :meth:`Provider.parse_delivery` says of it."""
        if size > len(kept):
            return Rejected(f"{size} bytes are too many to be verified")
        return self.provider.parse_delivery(self.headers, kept, self.secrets, self.now)


@attrs.define
class GuardedDelivery:
    """A reading whose faults are rejections: nothing that a delivery holds may hurt.

    ``ask`` is the guard: it does what it is given and gives the answer, or the failure that came of it.
    """

    reading: DeliveryReading
    ask: Callable[[Callable[[], DeliveryReport | None]], DeliveryReport | Failure | None]
    _fault: Failure | None = None

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        if self._fault is None and isinstance(failed := self.ask(lambda: self.reading.add(piece)), Failure):
            self._fault = failed

    def done(self, kept: bytes, size: int) -> DeliveryReport:
        """What it was."""
        found = self._fault or self.ask(lambda: checked_delivery(self.reading.done(kept, size)))
        if isinstance(found, Failure):
            return Rejected(found.message)
        assert found is not None
        return found
