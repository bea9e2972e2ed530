"""Submitting jobs: requests are checked here before the ledger accepts them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from typing import Any

import attrs

from actors.control.context import Subject
from actors.control.early_checks import early_warnings
from actors.job_requests.changes import changed
from actors.job_requests.field_types import type_fault
from actors.job_requests.job_request import with_inherited
from actors.job_requests.matrices import refusal
from actors.job_requests.rights import (
    THE_PROGRAM,
    Submitter,
    authorized,
    check_open,
    check_targets,
    retried,
    usable_targets,
)
from actors.job_requests.sources import RequestSource
from actors.jobs import maxima
from actors.jobs.codec import request_bytes
from actors.jobs.dependencies import reference_fault
from actors.jobs.file_rules import FileRules
from actors.jobs.levels import check_override
from actors.jobs.matrix import SweepFault, matrix_of
from actors.jobs.os_text import printable
from actors.jobs.placeholders import unused
from actors.jobs.records import Job, JobRequest
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.request_texts import text_fault
from actors.jobs.reruns import rerun_fault
from actors.jobs.start_times import fault_of as start_fault
from actors.jobs.sweeps import Sweep, expanding
from actors.jobs.views import Accepted
from actors.kernel.turns import InTurns
from actors.ledger import NewJob
from actors.ledger.new_job import where_of
from actors.providers.errors import Invalid
from actors.providers.guard import Failure
from actors.validation import join
from actors.validation.marked import shown
from logconf import get_correlation_id, new_correlation_id


class Submitting(Subject):
    """The submission of jobs to one runtime."""

    async def submit(self, request: JobRequest, *, check: bool = True) -> Job:
        """Accept one job under the correlation ID of the caller; it is stored when this returns.

        ``check``: as in :meth:`submit_many`. Raises :class:`Refused`, which names the field and what to change.
        """
        new = self._checked(_complete(request), get_correlation_id())
        return (await self._accept([new], check=check))[0].job

    async def submit_many(
        self,
        requests: Sequence[JobRequest | Sweep],
        file: FileRules | None = None,
        *,
        sees: str | None = None,
        check: bool = True,
    ) -> list[Accepted]:
        """Accept all of ``requests`` in one transaction, or none; several jobs get correlation IDs of their own.

        A :class:`~actors.jobs.sweeps.Sweep` stands for all jobs of its matrix. ``file``: these are jobs of a job file.
        ``sees``: the submitters may see, and wait for, only this user's jobs; None: all jobs. ``check``: refuse jobs
        that can be seen not to run (a missing directory or program, needs that this machine cannot meet); false: accept
        them with warnings. Raises :class:`Refused`, which names the field and what to change.
        """
        environ, found = dict(os.environ), dict[tuple[str, ...], Mapping[str, str]]()
        checked: list[NewJob] = []
        room = maxima.SWEEP
        alone = len(requests) == 1 and isinstance(requests[0], JobRequest)
        position = None if len(requests) == 1 else 0
        async for asked in InTurns(requests):
            position = None if position is None else position + 1
            where = where_of(position)
            request = asked.request if isinstance(asked, Sweep) else asked
            complete = _complete(request, where, environ, found)
            if isinstance(asked, Sweep):
                made = await self._swept(attrs.evolve(asked, request=complete), position, room)
                room -= sum(len(new.encoded or b"") for new in made)
                checked += made
            else:
                trail = get_correlation_id() if alone else new_correlation_id()
                checked.append(self._checked(complete, trail, position, request.config_name))
            if len(checked) > maxima.BATCH_JOBS:
                message = f"at most {maxima.BATCH_JOBS} jobs in one request; send them in several"
                raise Refused(message, RefusalKind.INVALID)
        if sees is not None:
            checked = [attrs.evolve(one, sees=sees) if one.request.after else one for one in checked]
        return await self._accept(checked, file, check=check)

    def check_targets(self, request: JobRequest, submitter: Submitter, where: str = "") -> None:
        """Raises :class:`Refused` if ``submitter`` may not use a target of ``request``; the message begins with
        ``where``.
        """
        check_targets(request, submitter, self._ledger.outbox.options, where)

    async def _swept(self, sweep: Sweep, position: int | None, room: int) -> list[NewJob]:
        """The jobs of ``sweep``, which together may have ``room`` bytes."""
        try:
            jobs = expanding(sweep)
        except SweepFault as fault:
            raise refusal(fault, where_of(position)) from None
        found = []
        async for job in InTurns(jobs):
            found.append(self._checked(job, new_correlation_id(), position, sweep.request.config_name))
            room -= len(found[-1].encoded or b"")
            if room < 0:
                raise Refused(
                    f"{where_of(position)}makes jobs of more than {maxima.SWEEP} bytes in all", RefusalKind.INVALID
                )
        if len(found) > 1 and (names := unused(sweep.request, sweep.matrix.names)):
            notes = (f"{{{name}}} is not used: its jobs differ in nothing else" for name in names)
            found[0] = attrs.evolve(found[0], warnings=tuple(notes))  # once for all of them
        return found

    async def submit_sweep(self, request: JobRequest, matrix: Mapping[str, Any]) -> list[Job]:
        """Accept a job for each combination of ``matrix``, in one transaction; ``request`` may have placeholders.

        ``matrix``: as in a job file, such as ``{"lr": [0.1, 0.2], "seed": {"from": 1, "to": 5}}``. Raises
        :class:`Refused`, which names the field and what to change.
        """
        try:
            sweep = Sweep(request, matrix_of(matrix))
        except SweepFault as fault:
            raise refusal(SweepFault(fault.message, "matrix", *fault.at)) from None
        return [accepted.job for accepted in await self.submit_many([sweep])]

    async def _accept(self, new: Sequence[NewJob], file: FileRules | None = None, *, check: bool) -> list[Accepted]:
        warnings = await early_warnings(self._ledger, self._context.providers, new, check=check)
        accepted = await self._ledger.submit(new, file)
        for index, one in enumerate(new):
            if some := (*one.warnings, *warnings.get(index, ())):
                accepted[index] = attrs.evolve(accepted[index], warnings=(*accepted[index].warnings, *some))
        return accepted

    def again(self, job: Job, submitter: Submitter = THE_PROGRAM, changes: Mapping[str, Any] | None = None) -> NewJob:
        """The request that :meth:`retry` of ``job`` submits, with ``changes``. Raises :class:`Refused` if it may
        not be retried.
        """
        if not job.is_terminal:
            raise Refused(f"job {job.job_id} has not ended ({job.status.value}); cancel it first")
        request = retried(job.request, submitter, job.job_id)
        if changes:
            request = authorized(changed(request, changes), submitter)
        request = _complete(request)
        targets = usable_targets(request.notify, submitter, self._ledger.outbox.options)
        request = attrs.evolve(request, parameters=job.request.parameters, notify=targets)
        return attrs.evolve(self._checked(request, job.correlation_id), retry_of=job.job_id)

    def _checked(
        self, request: JobRequest, correlation_id: str, position: int | None = None, written_name: str | None = None
    ) -> NewJob:
        """The complete ``request`` as it will be stored. Raises :class:`Refused`, which names the field and what to
        change.
        """
        encoded = request_bytes(request)
        if faults := list(islice(self._faults(request, encoded), 1)) or self._provider_faults(request):
            given = ", ".join(f"{name}={printable(str(value))}" for name, value in request.parameters.items())
            given = given and f" ({given:.200})"
            refusal = f"{where_of(position)}{'; '.join(message for _, message in faults)}{given}"
            several = [(field or "", f"{message}{given}") for field, message in faults] if len(faults) > 1 else ()
            raise Refused(refusal, RefusalKind.INVALID, faults[0][0], several)
        return NewJob(request, correlation_id, encoded=encoded, written_name=written_name, position=position)

    def _faults(self, request: JobRequest, encoded: bytes | None) -> Iterator[tuple[str | None, str]]:
        """The faults of a request, each with its field, the first one first; each check relies on those before it."""
        if request.parameters and (fault := type_fault(request)) is not None:  # its placeholders were filled since
            yield fault[0], f"{fault[0]}: {fault[1]}"
            return
        if (fault := text_fault(request, encoded)) is not None:
            yield fault[0], f"{fault[0]} {fault[1]}"
        if (too_much := maxima.fault_of(request, encoded)) is not None:
            field, message = too_much
            yield field or None, f"{field}: {message}" if field else message
        try:
            self._context.provider(request.provider)
        except Refused as error:
            yield "provider", str(error)
            return
        if not request.user_id:
            yield "user_id", "user_id: say for whom the job is"
        if (unknown := self._ledger.outbox.options.fault(request.notify)) is not None:
            yield "notify", f"notify: {unknown}"
        if request.max_attempts < 1:
            yield "max_attempts", "max_attempts must be 1 or more"
        for index, reference in enumerate(request.after):
            if (wrong := reference_fault(reference)) is not None:
                yield "after", f"after[{index}] {wrong}"
        if request.after_mode not in ("ok", "ended"):
            yield "after_mode", "after_mode must be ok or ended"
        if request.start_after is not None and (wrong := start_fault(request.start_after)) is not None:
            yield "start_after", f"start_after {wrong}"
        try:
            check_override(request.priority_override)
        except ValueError as error:
            yield "priority_override", str(error)
        if (senseless := rerun_fault(request.rerun)) is not None:
            field = reduce(join, senseless[0], "rerun")
            yield field, f"{field} {senseless[1]}"

    def _provider_faults(self, request: JobRequest) -> list[tuple[str | None, str]]:
        """The same for the faults that the job's provider finds in ``request``."""
        prepared = self._context.provider(request.provider).prepare(request)
        if not isinstance(prepared, Failure):
            return []
        faults = prepared.cause.faults if isinstance(prepared.cause, Invalid) else ()
        return [(one.field, one.message) for one in faults] or [(None, prepared.message)]


def _complete(
    request: JobRequest,
    where: str = "",
    environ: Mapping[str, str] | None = None,
    found: dict[tuple[str, ...], Mapping[str, str]] | None = None,
) -> JobRequest:
    """``request`` with what it inherits; its fields have their types.

    Raises :class:`Refused` for a value of another type, and for a field that only the server sets.
    """
    if not isinstance(request, JobRequest):
        raise Refused(f"{where}a job must be of the class JobRequest, not {shown(request)}", RefusalKind.INVALID)
    if (fault := type_fault(request)) is not None:
        raise Refused(f"{where}{fault[0]}: {fault[1]}", RefusalKind.INVALID, fault[0])
    check_open(request, RequestSource.EMBEDDED, where)
    return with_inherited(request, environ, found)
