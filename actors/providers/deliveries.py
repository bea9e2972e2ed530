"""What a provider has beside :class:`Provider` that verifies a delivery piece by piece, without holding all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import attrs

from actors.providers.base import DeliveryEvent, Rejected

MOST_KEPT = 1 << 20
"""Bytes of a delivery that are kept and read; of a longer one only the signature is checked."""


@attrs.frozen
class DeliveryHint:
    """A verified delivery that could not be read: all it says is that a job should be looked at.

    ``delivery_id``: as in :class:`~actors.providers.base.DeliveryEvent`. ``reason``: why it could not be read.
    ``remote_id``: the provider's name of the job, None where it could not be found either.
    """

    delivery_id: str
    reason: str
    remote_id: str | None = None


DeliveryReport = DeliveryEvent | DeliveryHint | Rejected


class DeliveryReading(Protocol):
    """One delivery while it comes in. Both methods are pure: no I/O."""

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        ...

    def done(self, kept: bytes, size: int) -> DeliveryReport:
        """What it was. ``kept``: the beginning of the body, the whole of it where it has ``size`` bytes."""
        ...


class ReadsDeliveries(Protocol):
    """A provider that can read deliveries so."""

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> DeliveryReading | Rejected:
        """Begin to read a delivery; :class:`Rejected` where its headers alone are not to be believed."""
        ...
