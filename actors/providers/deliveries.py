"""Deliveries: what providers report without being asked. One delivery, its content, and how it is read."""

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

    ``delivery_id`` is the same if a delivery is repeated. ``remote_id``: the provider's own name of the job, the
    handle's ``id``. ``observation``: what the delivery claims; it never moves a job backwards, and the job is asked
    about after it.
    """

    delivery_id: str
    remote_id: str
    observation: Observation | None = None


@attrs.frozen
class Rejected:
    """A delivery that could not be verified. ``reason`` is for our log, never for the sender."""

    reason: str


@attrs.frozen
class DeliveryHint:
    """A verified delivery that could not be parsed: it only says that a job should be asked about.

    ``delivery_id``: as in :class:`~actors.providers.base.DeliveryEvent`. ``reason``: why it could not be parsed.
    ``remote_id``: the provider's name of the job, None if it could not be found either.
    """

    delivery_id: str
    reason: str
    remote_id: str | None = None


DeliveryReport = DeliveryEvent | DeliveryHint | Rejected


class DeliveryReading(Protocol):
    """The reading of one delivery while it arrives. Both methods are pure: no I/O."""

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the body."""

    def done(self, kept: bytes, size: int) -> DeliveryReport:
        """The result. ``kept``: the beginning of the body, or all of it if the body has ``size`` bytes."""


class NoDeliveries:
    """The delivery methods of a provider that has no deliveries, for inheritance."""

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> DeliveryReading | Rejected:
        """Reject every delivery."""
        return Rejected("this provider takes no deliveries")

    async def delivery_secrets(self, *, fresh: bool = False) -> Sequence[str]:
        """No secrets."""
        await trio.lowlevel.checkpoint()
        return ()
