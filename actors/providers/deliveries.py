"""What providers report of their own accord: one delivery, what it says, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import attrs
import trio

from actors.jobs.records import Observation


@attrs.frozen
class DeliveryEvent:
    """A verified delivery about one job.

    ``delivery_id`` is the same when a delivery is repeated. ``remote_id`` is the provider's own name of the job, as it
    stands in the handle's ``id``. ``observation`` is what the delivery claims: it never moves a job backwards, and the
    job is read back from the provider after it.
    """

    delivery_id: str
    remote_id: str
    observation: Observation | None = None


@attrs.frozen
class Rejected:
    """A delivery that is not to be believed. ``reason`` is for our log, never for the sender."""

    reason: str


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

    def done(self, kept: bytes, size: int) -> DeliveryReport:
        """What it was. ``kept``: the beginning of the body, the whole of it where it has ``size`` bytes."""


class NoDeliveries:
    """What a provider has that takes no deliveries: to inherit from."""

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> DeliveryReading | Rejected:
        """No delivery is believed."""
        return Rejected("this provider takes no deliveries")

    async def delivery_secrets(self, *, fresh: bool = False) -> Sequence[str]:
        """None."""
        await trio.lowlevel.checkpoint()
        return ()
