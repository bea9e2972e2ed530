"""What a provider may have beside :class:`~actors.providers.base.Provider`; the runtime asks whether it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import attrs
import trio

from actors.providers.base import DeliveryEvent, Handle, LogChunk, Rejected

MOST_KEPT = 1 << 20
"""Bytes of a delivery that are kept and read; of a longer one only the signature is checked."""


class FollowsLogs(Protocol):
    """A provider whose ``capabilities.streams_logs`` is true."""

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> None:
        """Send the job's output from ``cursor`` into ``into`` as it comes, each byte once, until the job has ended."""


@runtime_checkable
class TakesVerdicts(Protocol):
    """A provider that keeps something for an uncertain job, devices for example, until a person decides."""

    async def settled(self, key: str) -> None:
        """A person says that nothing of the job runs any more. Idempotent."""


@attrs.frozen
class Remark:
    """``text``: a sentence about the job of submission key ``key``, which has ended already."""

    key: str
    text: str


@runtime_checkable
class Remarks(Protocol):
    """A provider that makes remarks: the channel is read for as long as the runtime runs."""

    remarks: trio.MemoryReceiveChannel[Remark]


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


@runtime_checkable
class ReadsDeliveries(Protocol):
    """A provider that verifies a delivery piece by piece, without holding all of it."""

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> DeliveryReading | Rejected:
        """Begin to read a delivery; :class:`Rejected` where its headers alone are not to be believed."""
