"""Lists of a runtime: jobs, what waits, approval requests, a page at a time (D2, D3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Unpack

from actors.control.event_reader import EventReader
from actors.jobs import maxima
from actors.jobs.pages import Page
from actors.jobs.records import ApprovalRequest, ApprovalStatus, Capacity
from actors.jobs.views import JobFilters, JobView, QueueView
from actors.kernel import Bus, Clock
from actors.ledger import Ledger, listing
from actors.ledger.listing import Asked, Runs
from actors.providers.guard import GuardedProvider
from actors.providers.planning import capacities


class Lists(EventReader):
    """The lists of :class:`actors.control.control.Runtime`."""

    def __init__(self, ledger: Ledger, providers: Mapping[str, GuardedProvider], bus: Bus, clock: Clock) -> None:
        super().__init__(ledger, bus)
        self._providers = providers
        self._clock = clock

    @property
    def _capacities(self) -> dict[str, Capacity]:
        return capacities(self._providers)

    async def jobs(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        caller: str = "",
        **filters: Unpack[JobFilters],
    ) -> Page[JobView]:
        """A page of jobs, newest first."""
        return await self.ledger.read(listing.jobs_page(Asked(limit, cursor, caller), before, filters, self._runs))

    async def queue(
        self, *, limit: int = maxima.ROWS, user_id: str | None = None, cursor: str | None = None, caller: str = ""
    ) -> QueueView:
        """What waits and why."""
        return await self.ledger.read(listing.queue_view(Asked(limit, cursor, caller), user_id, self._runs))

    @property
    def _runs(self) -> Runs:
        return Runs(self.ledger.limits, self._capacities, self._clock.now())

    async def approvals(
        self,
        *,
        statuses: Iterable[ApprovalStatus] = (),
        limit: int = 100,
        user_id: str | None = None,
        cursor: str | None = None,
        caller: str = "",
    ) -> Page[ApprovalRequest]:
        """A page of approval requests, newest first."""
        return await self.ledger.read(listing.approvals_page(Asked(limit, cursor, caller), statuses, user_id))
