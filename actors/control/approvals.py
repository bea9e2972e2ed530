"""What people and programs ask about approval requests: looking, deciding, taking back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.control.context import Subject
from actors.jobs.pages import Page
from actors.jobs.records import ApprovalRequest, ApprovalStatus
from actors.jobs.views import EVERYTHING, Viewer
from actors.ledger import approvals, listing, naming, queries
from actors.ledger.page_request import PageRequest
from actors.store import names


class Approvals(Subject):
    """The approval requests of one runtime; each is named by its id or by its job's."""

    async def page(
        self,
        *,
        statuses: Iterable[ApprovalStatus] = (),
        limit: int = 100,
        user_id: str | None = None,
        cursor: str | None = None,
        caller: str = "",
    ) -> Page[ApprovalRequest]:
        """A page of approval requests, newest first, as :meth:`Jobs.page` has it; ``user_id``: of this user's jobs."""
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(listing.approvals_page, request, statuses, user_id)

    async def jobs_of(self, requests: Iterable[ApprovalRequest]) -> Mapping[str, names.Called]:
        """The name and the user of each request's job, by the job's id."""
        return await self._ledger.read(names.of_ids, [one.job_id for one in requests])

    async def get(self, approval_id: str) -> ApprovalRequest:
        """One request."""
        return await self._ledger.read(queries.approval, await self.named(approval_id, newest=True))

    async def approve(self, approval_id: str, *, by: str, level: str = "admin") -> ApprovalRequest:
        """Grant a request; refused when it is decided, expired, above the approver's level, or for a job of ``by``
        where ``approvals.self_approval`` is false.
        """
        found, allowed = await self.named(approval_id), self._ledger.approvals.self_approval
        return await self._ledger.write(approvals.approve, found, by=by, level=level, self_approval=allowed)

    async def reject(self, approval_id: str, *, by: str, reason: str = "", level: str = "admin") -> ApprovalRequest:
        """Reject a request: its job is cancelled."""
        found = await self.named(approval_id)
        return await self._ledger.write(approvals.reject, found, by=by, reason=reason, level=level)

    async def withdraw(self, approval_id: str, *, by: str | None = None, level: str = "admin") -> ApprovalRequest:
        """Take a request back: its job is cancelled. For another's job than ``by``'s it takes the request's level."""
        return await self._ledger.write(approvals.withdraw, await self.named(approval_id), by=by, level=level)

    async def named(self, text: str, viewer: Viewer = EVERYTHING, *, newest: bool = False) -> str:
        """The id of the request that ``text`` means to ``viewer``; ``newest``: of jobs of one name the newest's."""
        return await self._ledger.read(naming.find_approval, text, viewer, newest=newest)
