"""Operations whose open streams of events, and whose deliveries, are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

from actors.control.operations import Operations
from actors.jobs.deliveries import DeliveryOutcome
from actors.jobs.records import Event
from actors.jobs.views import EventFilters
from actors.metrics.tallies import Tallies
from actors.net.client_faults import ClientFaults


class Counted(Operations):
    """The operations, and the ``tallies`` of the runtime that runs them."""

    tallies: Tallies

    @property
    def client_faults(self) -> ClientFaults:
        """Where servers count what clients do wrong."""
        return self.tallies.client_faults

    def came(self, outcome: DeliveryOutcome) -> None:
        """Count a delivery by what was done about it."""
        self.tallies.deliveries[outcome] += 1

    @asynccontextmanager
    async def events(
        self, *, after: int | None = None, **filters: Unpack[EventFilters]
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Events after number ``after``, without loss or doubles."""
        with self.tallies.subscribed():
            async with super().events(after=after, **filters) as changes:
                yield changes
