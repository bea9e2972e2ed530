"""Whose a job or an approval request is."""

from __future__ import annotations

from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger import Ledger, queries
from actors.store import jobs


class Owners:
    """Looks it up in the rows of ``ledger``. May raise :class:`~actors.store.errors.StoreError`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def owner_of_job(self, part: str) -> str:
        """Whose job this is. Raises :class:`Refused` where there is none, or where more than one fits."""
        job_id = await self._ledger.read(queries.resolve, part)
        job = await self._ledger.read(jobs.get, job_id)
        if job is None:
            raise Refused(f"there is no job {part!r:.80}", RefusalKind.NOT_FOUND)
        return job.request.user_id

    async def owner_of_approval(self, part: str) -> str:
        """Whose job this approval request holds back. Raises :class:`Refused` where there is none."""
        approval_id = await self._ledger.read(queries.resolve_approval, part)
        request = await self._ledger.read(queries.approval, approval_id)
        return await self.owner_of_job(request.job_id)
