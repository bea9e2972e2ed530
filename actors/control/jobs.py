"""Operations on jobs: submit, show, wait, change, remove."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import trio

from actors.control.context import Context
from actors.control.event_reader import EventReader
from actors.control.submitting import Submitting
from actors.job_requests.rights import THE_PROGRAM, Submitter
from actors.job_requests.sources import NETWORK
from actors.jobs.pages import Page
from actors.jobs.records import Job, JobStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retention import PruneResult, kept_since
from actors.jobs.views import EVERYTHING, NEWEST_FIRST, Accepted, JobFilters, JobOrder, JobView, Viewer
from actors.kernel.turns import InTurns
from actors.ledger import approvals, listing, naming, queries, settle
from actors.ledger.broken import cancelled_because_of
from actors.ledger.naming import Named
from actors.ledger.page_request import PageRequest
from actors.ledger.prune import outlook, release_hold
from actors.pruner import held, prune
from actors.store import holds
from actors.store import jobs as job_rows
from actors.store.names import Called

_MOST_OWNERS = 2_000


class Jobs(Submitting):
    """The jobs of one runtime. Ended jobs are kept for ``retention_days``; 0: for ever."""

    def __init__(self, context: Context, event_reader: EventReader, retention_days: float = 0) -> None:
        super().__init__(context)
        self._event_reader = event_reader
        self._retention_days = retention_days
        self._owners: dict[str, Called] = {}  # by id: neither ever changes, so that who asks by id needs no read

    # Submitting again.

    async def retry(self, job_id: str, *, by: str | None = None, submitter: Submitter = THE_PROGRAM) -> Job:
        """Submit an ended job again, as a new job with ``retry_of`` and the same correlation ID.

        It is a new request of ``submitter``, with the fields that ``submitter`` may set (B14, D1).
        """
        return (await self.submit_again(job_id, submitter=submitter))[0].job

    async def submit_again(
        self,
        job_id: str,
        *,
        submitter: Submitter = THE_PROGRAM,
        with_dependants: bool = False,
        check: bool = True,
        changes: Mapping[str, Any] | None = None,
    ) -> list[Accepted]:
        """Like :meth:`retry`, but also returns warnings about the request; ``check``: as in :meth:`submit_many`.

        ``with_dependants``: also submit again all jobs that were cancelled because of this one (E3); this job's
        successor comes first. Over the network these are only jobs of ``submitter``, so that no job gets another owner.
        ``changes``: what this job's successor has instead (:mod:`actors.job_requests.changes`).
        """
        job = await self.row((await self.named(job_id)).job.job_id)
        owner = submitter.user_id if submitter.source in NETWORK else None
        others = await self._ledger.read(cancelled_because_of, job, owner) if with_dependants else ()
        return await self.retry_all((job, *others), submitter, check=check, changes=changes)

    async def retry_all(
        self,
        jobs: Sequence[Job],
        submitter: Submitter = THE_PROGRAM,
        *,
        check: bool = True,
        changes: Mapping[str, Any] | None = None,
    ) -> list[Accepted]:
        """:meth:`retry` all of ``jobs`` in one submission, or none of them; ``changes``: those of the first one."""
        new = [self.again(one, submitter, changes if one is jobs[0] else None) async for one in InTurns(jobs)]
        return await self._accept(new, check=check)

    # Changing.

    async def cancel(self, job_id: str, *, by: str | None = None, level: str = "admin") -> Job:
        """Cancel a job: a waiting one at once, a running one by asking its provider repeatedly until it ends (B14).

        ``level``: the level of the caller. If it is too low to decide the job's approval request, the request is closed
        without a decision.
        """
        found = await self._ledger.read(queries.resolve, job_id)
        return await self._ledger.write(approvals.cancel, found, by=by, level=level)

    async def settle(self, job_id: str, verdict: str, *, handle: Mapping[str, Any] | None = None, by: str) -> Job:
        """Record how an uncertain job ended: ``ran`` (with its handle), ``not_run`` or ``failed`` (B13)."""
        if verdict not in ("ran", "not_run", "failed"):
            raise Refused(f"a verdict is ran, not_run or failed, not {verdict!r}", RefusalKind.INVALID, "verdict")
        view = await self.get((await self.named(job_id)).job.job_id)
        provider = self._context.providers.get(view.job.provider)
        over = verdict == "failed" or (verdict == "not_run" and view.job.status is JobStatus.UPLOADING)
        if over and view.job.uncertain_since and view.submission and provider is not None:
            # First the provider: were we killed in between, it says what the person said, and the job ends by that.
            failure = await provider.settled(view.submission.key)
            if failure is not None:
                raise Refused(f"the provider cannot take note of it: {failure.message}", RefusalKind.UNAVAILABLE)
        return (
            await self._ledger.write(
                settle.settle, view.job.job_id, verdict, handle=handle, by=by, token=self._ledger.sources.token
            )
        ).job

    async def prioritise(self, job_id: str, override: int | None, *, by: str | None = None) -> JobView:
        """Override a waiting job's priority (0 to 50), or remove the override (B9)."""
        found = await self._ledger.read(queries.resolve, job_id)
        await self._ledger.write(approvals.prioritise, found, override, by=by)
        return await self.get(found)

    async def prune(
        self, *, dry_run: bool = False, yes: bool = False, after: str | None = None, seconds: float | None = None
    ) -> PruneResult:
        """Remove the jobs now that are older than the retention (C6); ``dry_run``: only count them.

        ``yes``: also if pruning is on hold because the clock may be wrong, and end the hold; without it, that raises
        :class:`Refused`. ``seconds``: stop after about this time; ``next`` of the result is then ``after`` of the next
        call.
        """
        before = kept_since(self._context.clock.now(), self._retention_days)
        if dry_run:
            return await self._ledger.read(outlook, before)
        if yes:
            await self._ledger.write(release_hold)
        else:
            hold = await (self._ledger.read(holds.current) if after else held(self._ledger, before))
            if hold is not None:
                raise Refused(f"nothing was removed: {hold.in_words()}")
        most = math.inf if seconds is None else seconds
        return await prune(self._ledger, self._context.providers, before, after=after or "", seconds=most)

    # Looking.

    async def named(self, text: str, viewer: Viewer = EVERYTHING, *, newest: bool = False) -> Named:
        """The job that ``text`` means to ``viewer``: by its id, its name, or the beginning or end of its id (E1).

        ``newest``: if several jobs have the name, the newest. Raises :class:`Refused` if there is none, or more than
        one.
        """
        known = self._owners.get(text)
        if known is not None and viewer.sees(known.user_id):
            await trio.lowlevel.checkpoint()
            return Named(known)
        named = await self._ledger.read(naming.find, text, viewer, newest=newest)
        if named.job.job_id == text:
            while len(self._owners) >= _MOST_OWNERS:
                del self._owners[next(iter(self._owners))]
            self._owners[text] = named.job
        return named

    async def get(self, text: str) -> JobView:
        """The job that ``text`` means; if several jobs have the name, the newest."""
        return await self._ledger.read(queries.view, text, self._context.for_decision)

    async def page(
        self,
        *,
        before: str | None = None,
        order: JobOrder = NEWEST_FIRST,
        limit: int = 100,
        cursor: str | None = None,
        caller: str = "",
        **filters: Unpack[JobFilters],
    ) -> Page[JobView]:
        """A page of jobs in ``order``: at most ``limit`` (at most 1,000) jobs and 8 MiB, but always one job if there is
        one.

        ``before``: only jobs older than this one. ``cursor``: ``next`` of the page before, requested with the same
        filters by the same ``caller``; any other cursor raises :class:`Refused`.
        """
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(listing.jobs_page, request, before, filters, self._context.for_decision, order)

    async def wait(self, job_id: str) -> Job:
        """Wait until a job has ended and return it.

        Raises :class:`Refused` if it is removed, :class:`StoreClosed` if the runtime ends before.
        """
        found = (await self.named(job_id, newest=True)).job.job_id
        async with self._event_reader.events(job_id=found) as changes:
            job = await self.row(found)
            while not job.is_terminal:
                await anext(changes)
                job = await self.row(found)
        return job

    async def row(self, job_id: str) -> Job:
        """The job's own row, by its whole id. Raises :class:`Refused` if it was removed."""
        job = await self._ledger.read(job_rows.get, job_id)
        if job is None:
            raise Refused(f"job {job_id} was removed", RefusalKind.NOT_FOUND)
        return job
