"""Operations on approval requests: list, approve, reject, withdraw."""

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
    """The approval requests of one runtime. A request is named by its own id or by its job's."""

    async def page(
        self,
        *,
        statuses: Iterable[ApprovalStatus] = (),
        limit: int = 100,
        user_id: str | None = None,
        cursor: str | None = None,
        caller: str = "",
    ) -> Page[ApprovalRequest]:
        """A page of approval requests, newest first, like :meth:`Jobs.page`; ``user_id``: only requests of this
        user's jobs.
        """
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(listing.approvals_page, request, statuses, user_id)

    async def jobs_of(self, requests: Iterable[ApprovalRequest]) -> Mapping[str, names.Called]:
        """The name and the user of each request's job, by the job's id."""
        return await self._ledger.read(names.of_ids, [one.job_id for one in requests])

    async def get(self, approval_id: str) -> ApprovalRequest:
        """One approval request. Raises :class:`Refused` if there is none."""
        return await self._ledger.read(queries.approval, await self.named(approval_id, newest=True))

    async def approve(self, approval_id: str, *, by: str, level: str = "admin") -> ApprovalRequest:
        """Grant a request.

        Raises :class:`Refused` if it is decided or expired, if it needs a higher level than the approver's, and for a
        job of ``by`` if ``approvals.self_approval`` is false.
        """
        found, allowed = await self.named(approval_id), self._ledger.approvals.self_approval
        return await self._ledger.write(approvals.approve, found, by=by, level=level, self_approval=allowed)

    async def reject(self, approval_id: str, *, by: str, reason: str = "", level: str = "admin") -> ApprovalRequest:
        """Reject a request; its job is cancelled. Raises :class:`Refused` as :meth:`approve` does."""
        found = await self.named(approval_id)
        return await self._ledger.write(approvals.reject, found, by=by, reason=reason, level=level)

    async def withdraw(self, approval_id: str, *, by: str | None = None, level: str = "admin") -> ApprovalRequest:
        """Withdraw a request; its job is cancelled. If the job is not ``by``'s own, this needs the level of the
        request.
        """
        return await self._ledger.write(approvals.withdraw, await self.named(approval_id), by=by, level=level)

    async def named(self, text: str, viewer: Viewer = EVERYTHING, *, newest: bool = False) -> str:
        """The id of the request that ``text`` means to ``viewer``; ``newest``: if several jobs have the name, the
        newest one's.
        """
        return await self._ledger.read(naming.find_approval, text, viewer, newest=newest)
