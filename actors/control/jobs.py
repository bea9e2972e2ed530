"""What people and programs ask about jobs: submitting, looking, waiting, changing, removing."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

import attrs

from actors.control.context import Context
from actors.control.event_reader import EventReader
from actors.job_requests.job_request import with_inherited
from actors.job_requests.rights import (
    THE_PROGRAM,
    Submitter,
    check_open,
    check_targets,
    retried,
    usable_targets,
)
from actors.job_requests.sources import RequestSource
from actors.jobs import maxima
from actors.jobs.capacity import can_ever_fit
from actors.jobs.codec import request_bytes
from actors.jobs.levels import check_override
from actors.jobs.pages import Page
from actors.jobs.records import Capacity, Job, JobRequest, JobStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.request_texts import text_fault
from actors.jobs.retention import PruneResult, kept_since
from actors.jobs.views import Accepted, JobFilters, JobView
from actors.kernel.turns import InTurns
from actors.ledger import NewJob, approvals, listing, queries, settle
from actors.ledger.page_request import PageRequest
from actors.ledger.prune import outlook, release_hold
from actors.providers.guard import Failure
from actors.pruner import held, prune
from actors.store import holds
from actors.store import jobs as job_rows
from logconf import get_correlation_id, new_correlation_id


class Jobs:
    """The jobs of one runtime; ended ones are kept for ``retention_days``, 0: for ever."""

    def __init__(self, context: Context, event_reader: EventReader, retention_days: int = 0) -> None:
        self._context = context
        self._ledger = context.ledger
        self._event_reader = event_reader
        self._retention_days = retention_days

    # Submitting.

    async def submit(self, request: JobRequest) -> Job:
        """Accept one job under the correlation ID of the caller; it is stored when this returns.

        Raises :class:`Refused` naming the field and the fix.
        """
        return (await self._ledger.submit([self._checked(request, get_correlation_id())]))[0].job

    def check_targets(self, request: JobRequest, submitter: Submitter, where: str = "") -> None:
        """Raises :class:`Refused` where ``submitter`` may not use a target of ``request``; ``where`` stands before."""
        check_targets(request, submitter, self._ledger.outbox.options, where)

    async def submit_many(self, requests: Sequence[JobRequest]) -> list[Accepted]:
        """Accept all of ``requests`` in one transaction, or none of them; several get correlation IDs of their own."""
        if len(requests) > maxima.BATCH_JOBS:
            message = f"at most {maxima.BATCH_JOBS} jobs in one request, not {len(requests)}; send them in several"
            raise Refused(message, RefusalKind.INVALID)
        ids = [get_correlation_id()] if len(requests) == 1 else [new_correlation_id() for _ in requests]
        several = len(requests) > 1
        checked: list[NewJob] = []
        environ, found = dict(os.environ), dict[tuple[str, ...], Mapping[str, str]]()
        async for request in InTurns(requests):
            complete, index = with_inherited(request, environ, found), len(checked)
            checked.append(self._checked(complete, ids[index], index if several else None))
        return await self._ledger.submit(checked)

    async def retry(self, job_id: str, *, by: str | None = None, submitter: Submitter = THE_PROGRAM) -> Job:
        """A new job with ``retry_of``: what an ended one asked for, as a new request of ``submitter`` (B14, D1).

        It gets the same correlation ID.
        """
        view = await self.get(job_id)
        if not view.job.is_terminal:
            raise Refused(f"job {view.job.job_id} has not ended ({view.job.status.value}); cancel it first")
        request = retried(view.job.request, submitter, view.job.job_id)
        targets = usable_targets(request.notify, submitter, self._ledger.outbox.options)
        request = attrs.evolve(request, notify=targets)
        new = attrs.evolve(self._checked(request, view.job.correlation_id), retry_of=view.job.job_id)
        return (await self._ledger.submit([new]))[0].job

    def _checked(self, request: JobRequest, correlation_id: str, index: int | None = None) -> NewJob:
        """``request`` as it will be stored. Raises :class:`Refused` naming the field and the fix."""
        where = "" if index is None else f"job {index + 1}: "
        check_open(request, RequestSource.EMBEDDED, where)
        complete = with_inherited(request)
        encoded = request_bytes(complete)
        for field, message in self._faults(complete, encoded):
            raise Refused(f"{where}{message}", RefusalKind.INVALID, field)
        return NewJob(complete, correlation_id, encoded=encoded)

    def _faults(self, request: JobRequest, encoded: bytes | None) -> Iterator[tuple[str | None, str]]:
        """The field and what is wrong with it, the first fault first; each check relies on those before it."""
        if (fault := text_fault(request, encoded)) is not None:
            yield fault[0], f"{fault[0]} {fault[1]}"
        if (too_much := maxima.fault_of(request, encoded)) is not None:
            field, message = too_much
            yield field or None, f"{field}: {message}" if field else message
        try:
            provider = self._context.provider(request.provider)
        except Refused as error:
            yield "provider", str(error)
            return
        if not request.user_id:
            yield "user_id", "user_id: say for whom the job is"
        if (unknown := self._ledger.outbox.options.fault(request.notify)) is not None:
            yield "notify", f"notify: {unknown}"
        if request.max_attempts < 1:
            yield "max_attempts", "max_attempts must be 1 or more"
        try:
            check_override(request.priority_override)
        except ValueError as error:
            yield "priority_override", str(error)
        prepared = provider.prepare(request)
        if isinstance(prepared, Failure):
            yield None, prepared.message
        capacity = provider.capacity()
        misfit = can_ever_fit(request.resources, Capacity() if isinstance(capacity, Failure) else capacity)
        if misfit is not None:
            yield "resources", f"provider {request.provider} {misfit}"

    # Changing.

    async def cancel(self, job_id: str, *, by: str | None = None, level: str = "admin") -> Job:
        """End a job: one that waits at once, one that runs by asking its provider until it ends (B14).

        ``level``: of who cancels. An approval request that it may not decide is closed as decided by nobody.
        """
        found = await self._ledger.read(queries.resolve, job_id)
        return await self._ledger.write(approvals.cancel, found, by=by, level=level)

    async def settle(self, job_id: str, verdict: str, *, handle: Mapping[str, Any] | None = None, by: str) -> Job:
        """Decide by hand what became of an uncertain job: ``ran`` (with its handle), ``not_run``, ``failed`` (B13)."""
        if verdict not in ("ran", "not_run", "failed"):
            raise Refused(f"a verdict is ran, not_run or failed, not {verdict!r}", RefusalKind.INVALID, "verdict")
        view = await self.get(job_id)
        provider = self._context.providers.get(view.job.provider)
        over = verdict == "failed" or (verdict == "not_run" and view.job.status is JobStatus.UPLOADING)
        if over and view.job.uncertain_since and view.submission and provider is not None:
            # First the provider: were we killed in between, it says what the person said, and the job ends by that.
            failure = await provider.settled(view.submission.key)
            if failure is not None:
                raise Refused(f"the provider cannot take note of it: {failure.message}", RefusalKind.UNAVAILABLE)
        return (await self._ledger.write(settle.settle, view.job.job_id, verdict, handle=handle, by=by)).job

    async def prioritise(self, job_id: str, override: int | None, *, by: str | None = None) -> JobView:
        """Override a waiting job's priority (0 to 50), or take the override away (B9)."""
        found = await self._ledger.read(queries.resolve, job_id)
        await self._ledger.write(approvals.prioritise, found, override, by=by)
        return await self.get(found)

    async def prune(
        self, *, dry_run: bool = False, yes: bool = False, after: str | None = None, seconds: float | None = None
    ) -> PruneResult:
        """Remove now the jobs that were kept long enough (C6); ``dry_run``: only say how many would go.

        ``yes``: even where a hold keeps them because the clock may be wrong, which ends by this; else that is
        :class:`Refused`. ``seconds``: stop after about that long; ``next`` of the result is then ``after`` of the call
        that goes on.
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

    async def get(self, part_of_id: str) -> JobView:
        """One job by its id or by what begins or ends exactly one id."""
        return await self._ledger.read(queries.view, part_of_id, self._context.for_decision)

    async def page(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        caller: str = "",
        **filters: Unpack[JobFilters],
    ) -> Page[JobView]:
        """A page of jobs, newest first: at most ``limit`` (1,000 at most) and 8 MiB of them, and always one.

        ``before``: only jobs older than this one. ``cursor``: ``next`` of the page before, which was asked for with the
        same filters by the same ``caller``; raises :class:`Refused` for another one.
        """
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(listing.jobs_page, request, before, filters, self._context.for_decision)

    async def wait(self, job_id: str) -> Job:
        """The job once it has reached an end. Raises :class:`Refused` where it is removed."""
        found = await self._ledger.read(queries.resolve, job_id)
        async with self._event_reader.events(job_id=found) as changes:
            job = await self.row(found)
            while not job.is_terminal:
                await anext(changes)
                job = await self.row(found)
        return job

    async def row(self, job_id: str) -> Job:
        """The job itself, by its whole id, without what is known around it. Raises :class:`Refused`: it was removed."""
        job = await self._ledger.read(job_rows.get, job_id)
        if job is None:
            raise Refused(f"job {job_id} was removed", RefusalKind.NOT_FOUND)
        return job
