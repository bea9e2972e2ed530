"""What people and programs ask of a runtime, done through the ledger. The tree and its health are in ``runtime``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from actors.control.lists import Lists
from actors.control.log_follower import followed, unreadable
from actors.job_requests.environment import with_inherited
from actors.job_requests.rights import THE_PROGRAM, Submitter, check_open, retried
from actors.job_requests.sources import RequestSource
from actors.jobs import maxima
from actors.jobs.codec import request_bytes
from actors.jobs.levels import check_override
from actors.jobs.options import Limits
from actors.jobs.os_text import text_fault
from actors.jobs.records import (
    ApprovalRequest,
    Capacity,
    Job,
    JobRequest,
    JobStatus,
    QueueStatus,
    Submission,
)
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.scheduling import can_ever_fit
from actors.jobs.suggestions import did_you_mean
from actors.jobs.views import Accepted, JobView
from actors.kernel.turns import InTurns
from actors.ledger import NewJob, reading
from actors.ledger import limits as run_time_limits
from actors.net.client_faults import ClientFaults
from actors.providers.guard import Failure, GuardedProvider
from actors.store import jobs as job_rows
from logconf import get_correlation_id, new_correlation_id

_LOOK_FOR_LOGS = 0.5


class Operations(Lists):
    """The operations of :class:`actors.control.control.Runtime` that need no knowledge of the tree."""

    @property
    def client_faults(self) -> ClientFaults:
        """Where servers would count what clients do wrong; none of what only reads rows is served to anybody."""
        return ClientFaults()

    @property
    def guarded(self) -> Mapping[str, GuardedProvider]:
        """The providers, each behind its guard and its circuit breaker."""
        return self._providers

    # Submitting.

    async def submit(self, request: JobRequest) -> Job:
        """Accept one job under the correlation ID of the caller."""
        return (await self._submit([NewJob(self._checked(request), get_correlation_id())]))[0].job

    async def submit_many(self, requests: Sequence[JobRequest]) -> list[Accepted]:
        """Accept all or none; each job gets a correlation ID of its own, for each is a life of its own."""
        if len(requests) > maxima.BATCH_JOBS:
            message = f"at most {maxima.BATCH_JOBS} jobs in one request, not {len(requests)}; send them in several"
            raise Refused(message, RefusalKind.INVALID)
        ids = [get_correlation_id()] if len(requests) == 1 else [new_correlation_id() for _ in requests]
        several = len(requests) > 1
        checked: list[JobRequest] = []
        environ = dict(os.environ)  # decoded once, not for each request
        async for request in InTurns(requests):
            complete = with_inherited(request, environ)
            checked.append(self._checked(complete, len(checked) if several else None))
        return await self._submit([NewJob(one, id_) for one, id_ in zip(checked, ids, strict=True)])

    async def retry(self, job_id: str, *, by: str | None = None, submitter: Submitter = THE_PROGRAM) -> Job:
        """A new job that asks for the same as an ended one, under the same correlation ID, as ``submitter`` may ask."""
        view = await self.job(job_id)
        if not view.job.is_terminal:
            raise Refused(f"job {view.job.job_id} has not ended ({view.job.status.value}); cancel it first")
        request = retried(view.job.request, submitter, view.job.job_id)
        new = NewJob(self._checked(request), view.job.correlation_id, retry_of=view.job.job_id)
        return (await self._submit([new]))[0].job

    async def _submit(self, new: Sequence[NewJob]) -> list[Accepted]:
        return await self.ledger.submit(new)

    def _checked(self, request: JobRequest, index: int | None = None) -> JobRequest:
        """``request`` as it will be stored. Raises :class:`Refused` naming the field and the fix."""
        where = "" if index is None else f"job {index + 1}: "
        check_open(request, RequestSource.EMBEDDED, where)
        complete = with_inherited(request)
        encoded = request_bytes(complete)
        if (fault := text_fault(complete, encoded)) is not None:
            raise Refused(f"{where}{fault[0]} {fault[1]}", RefusalKind.INVALID, fault[0])
        if (too_much := maxima.fault_of(complete, encoded)) is not None:
            field, message = too_much
            named = f"{field}: {message}" if field else message
            raise Refused(f"{where}{named}", RefusalKind.INVALID, field or None)
        provider = self._providers.get(request.provider)
        if provider is None:
            guess = did_you_mean(request.provider[:80], self._providers)
            raise Refused(
                f"{where}there is no provider {request.provider!r:.80}{guess}", RefusalKind.INVALID, "provider"
            )
        if not request.user_id:
            raise Refused(f"{where}user_id: say for whom the job is", RefusalKind.INVALID, "user_id")
        if request.max_attempts < 1:
            raise Refused(f"{where}max_attempts must be 1 or more", RefusalKind.INVALID, "max_attempts")
        try:
            check_override(request.priority_override)
        except ValueError as error:
            raise Refused(f"{where}{error}", RefusalKind.INVALID, "priority_override") from error
        prepared = provider.prepare(request)
        if isinstance(prepared, Failure):
            raise Refused(f"{where}{prepared.message}", RefusalKind.INVALID)
        misfit = can_ever_fit(request.resources, self._capacities.get(request.provider, Capacity()))
        if misfit is not None:
            raise Refused(f"{where}provider {request.provider} {misfit}", RefusalKind.INVALID, "resources")
        return complete

    # Changing.

    async def cancel(self, job_id: str, *, by: str | None = None, level: str = "admin") -> Job:
        """End a waiting job at once, ask for the end of a running one."""
        return await self.ledger.cancel(await self._job_id(job_id), by, level)

    async def settle(self, job_id: str, verdict: str, *, handle: Mapping[str, Any] | None = None, by: str) -> Job:
        """Take a person's word on an uncertain job."""
        if verdict not in ("ran", "not_run", "failed"):
            raise Refused(f"a verdict is ran, not_run or failed, not {verdict!r}", RefusalKind.INVALID, "verdict")
        view = await self.job(job_id)
        provider = self._providers.get(view.job.provider)
        over = verdict == "failed" or (verdict == "not_run" and view.job.status is JobStatus.UPLOADING)
        if over and view.job.uncertain_since and view.submission and provider is not None:
            # First the provider: were we killed in between, it says what the person said, and the job ends by that.
            failure = await provider.settled(view.submission.key)
            if failure is not None:
                raise Refused(f"the provider cannot take note of it: {failure.message}", RefusalKind.UNAVAILABLE)
        return (await self.ledger.settle(view.job.job_id, verdict, handle, by)).job

    async def approve(self, approval_id: str, *, by: str, level: str = "admin") -> ApprovalRequest:
        """Grant a request, named by its id or by its job's."""
        return await self.ledger.approve(await self._approval_id(approval_id), by, level)

    async def reject(self, approval_id: str, *, by: str, reason: str = "", level: str = "admin") -> ApprovalRequest:
        """Reject a request, named by its id or by its job's."""
        return await self.ledger.reject(await self._approval_id(approval_id), by, reason, level)

    async def set_priority(self, job_id: str, override: int | None, *, by: str | None = None) -> JobView:
        """Override a waiting job's priority."""
        found = await self._job_id(job_id)
        await self.ledger.prioritise(found, override, by)
        return await self.job(found)

    async def set_limit(self, name: str, value: int, *, by: str | None = None) -> Limits:
        """Change a limit now and keep it; one that is a provider's own takes a provider that there is."""
        run_time_limits.check_known(name, self._providers)
        await self.ledger.set_limit(name, value, by)
        return (await self.limits())[0]

    async def reset_limits(self, names: Iterable[str] = (), *, by: str | None = None) -> Limits:
        """Return to the configured limits."""
        await self.ledger.reset_limits(names, by)
        return (await self.limits())[0]

    async def pause(self, provider: str | None, reason: str, *, by: str | None = None) -> None:
        """Dispatch nothing there, or (None) nothing at all, until it is resumed."""
        await self.ledger.pause(None if provider is None else self._known(provider), reason, by)

    async def resume(self, provider: str | None, *, by: str | None = None) -> None:
        """Dispatch there, or (None) at all, again; a provider that was paused by itself stays paused.

        The circuit breaker of the one that is named is not waited for: a few calls try it out at once.
        """
        known = None if provider is None else self._known(provider)
        if known is not None:
            self._providers[known].breaker.half_open()
        await self.ledger.resume(known, by)

    # Looking.

    async def job(self, part_of_id: str) -> JobView:
        """One job by its id or an unambiguous beginning or end of it."""
        job_id = reading.resolve(part_of_id)
        query = reading.views(
            lambda connection: [found] if (found := job_rows.get(connection, job_id(connection))) else [],
            self.ledger.limits, self._capacities, self._clock.now(),
        )  # fmt: skip
        found = await self.ledger.read(query)
        if not found:
            raise Refused(f"there is no job {part_of_id!r}", RefusalKind.NOT_FOUND)
        return found[0]

    async def approval(self, approval_id: str) -> ApprovalRequest:
        """One request, named by its id or by its job's."""
        return await self.ledger.read(reading.request(await self._approval_id(approval_id)))

    async def withdraw(self, approval_id: str, *, by: str | None = None, level: str = "admin") -> ApprovalRequest:
        """Take a request back: its job is cancelled."""
        return await self.ledger.withdraw(await self._approval_id(approval_id), by, level)

    async def limits(self) -> tuple[Limits, Mapping[str, str]]:
        """The limits that hold, and which were changed at run time."""
        return await self.ledger.read(reading.limits_view(self.ledger.limits))

    async def idle(self) -> bool:
        """Whether nothing is pending or running."""
        counts = (await self.ledger.read(reading.plain_counts))["queue"]
        return not counts.get(QueueStatus.PENDING.value) and not counts.get(QueueStatus.RUNNING.value)

    # Following.

    async def wait(self, job_id: str) -> Job:
        """The job once it has reached an end."""
        found = await self._job_id(job_id)
        async with self.events(job_id=found) as changes:
            job = await self._row(found)
            while not job.is_terminal:
                await anext(changes)
                job = await self._row(found)
        return job

    async def _row(self, job_id: str) -> Job:
        job = await self.ledger.read(lambda connection: job_rows.get(connection, job_id))
        if job is None:
            raise Refused(f"job {job_id} was removed", RefusalKind.NOT_FOUND)
        return job

    async def logs(
        self, job_id: str, cursor: str | None = None, *, follow: bool = False
    ) -> AsyncIterator[tuple[bytes, str]]:
        """A job's output; with ``follow`` until the job ends."""
        while True:
            view = await self.job(job_id)
            handed = view.submission is not None and view.submission.handle is not None
            if handed:
                assert view.submission is not None
                assert view.submission.handle is not None
                provider = self._providers.get(view.job.provider)
                if provider is None:
                    raise Refused(f"provider {view.job.provider} is not configured here", RefusalKind.UNAVAILABLE)
                chunks = await provider.logs(view.submission.key, view.submission.handle, cursor)
                if isinstance(chunks, Failure):
                    raise unreadable(chunks)
                for chunk in chunks:
                    cursor = chunk.cursor
                    yield chunk.data, chunk.cursor
                if chunks:
                    continue
            if not follow or view.job.is_terminal:
                return
            await trio.sleep(_LOOK_FOR_LOGS)

    @asynccontextmanager
    async def follow_logs(
        self, job_id: str, cursor: str | None = None
    ) -> AsyncIterator[AsyncIterator[tuple[bytes, str]]]:
        """A job's output from ``cursor`` until it ends, as it comes where the provider has a stream of it."""
        view = await self.job(job_id)
        looked = partial(self.logs, view.job.job_id, cursor, follow=True)
        handed = partial(self._handed, view.job.job_id)
        ended = partial(self._ended, view.job.provider)
        async with followed(view, self._providers, cursor, looked, handed, ended) as pieces:
            yield pieces

    async def _handed(self, job_id: str) -> Submission | None:
        """The hand-over of a job, waited for; None where it ended before."""
        while (seen := await self.job(job_id)).submission is None or seen.submission.handle is None:
            if seen.job.is_terminal:
                return None
            await trio.sleep(_LOOK_FOR_LOGS)
        return seen.submission

    async def _ended(self, provider: str, submission: Submission) -> None:
        """Wait for the end of a job whose provider knows it already."""
        self.look_at(provider, submission.key)
        while not (await self._row(submission.job_id)).is_terminal:  # noqa: ASYNC110 - rows are the truth
            await trio.sleep(_LOOK_FOR_LOGS)

    def look_at(self, provider: str, key: str) -> None:
        """Have ``provider`` asked about one job now; where nobody watches, nothing happens."""

    # Names.

    async def _job_id(self, part: str) -> str:
        return await self.ledger.read(reading.resolve(part))

    async def _approval_id(self, part: str) -> str:
        return await self.ledger.read(reading.resolve_approval(part))

    def _known(self, provider: str) -> str:
        if provider not in self._providers:
            guess = did_you_mean(provider[:80], self._providers)
            raise Refused(f"there is no provider {provider!r:.80}{guess}", RefusalKind.NOT_FOUND, "provider")
        return provider
