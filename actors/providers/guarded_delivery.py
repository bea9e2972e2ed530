"""The guard around the reading of one delivery: whatever goes wrong in it is a rejection."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from actors.providers import answers
from actors.providers.classify import Failure
from actors.providers.deliveries import DeliveryReading, DeliveryReport, Rejected


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
        found = self._fault or self.ask(lambda: answers.checked_delivery(self.reading.done(kept, size)))
        if isinstance(found, Failure):
            return Rejected(found.message)
        assert found is not None
        return found
