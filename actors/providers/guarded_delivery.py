"""The guard around the reading of one delivery: any error in it is a rejection."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from actors.providers import answers
from actors.providers.classify import Failure
from actors.providers.deliveries import DeliveryReading, DeliveryReport, Rejected


@attrs.define
class GuardedDelivery:
    """A reading whose errors are rejections, so that no content of a delivery can do harm.

    ``ask`` is the guard: it calls a function and returns the answer, or the failure.
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
        found = self._fault or self.ask(lambda: answers.checked_delivery(self.reading.done(kept, size)))
        if isinstance(found, Failure):
            return Rejected(found.message)
        assert found is not None
        return found
