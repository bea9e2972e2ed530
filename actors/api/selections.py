"""Routes about several jobs at once, and about the removal of one. Each job is changed as by the route for one job."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from actors.access.permission import ADMIN, CHANGES_OWN_JOB, CHANGES_OWN_JOBS, LEAD
from actors.api.bodies import OVERRIDE
from actors.api.route import Call, Nothing, route
from actors.api.submission import SubmitQuery
from actors.control.removing import RemovedJob
from actors.documents.selections import SelectionDocument, selection_document
from actors.jobs import maxima, maximum
from actors.jobs.records import JobStatus
from actors.jobs.selections import MOST, Selection

_NAME = maximum.Text(maxima.NAME)
SECONDS = 10.0
"""Seconds after which an answer lists the jobs that are left: less than any client waits."""


@attrs.frozen
class SelectionRequest:
    """Which jobs: ``jobs`` by their ids or names, or all that match ``name`` (a pattern), group, status and user.

    ``dry_run``: only list them, and for named jobs whether they can be changed.
    """

    jobs: tuple[str, ...] = attrs.field(default=(), validator=maximum.Items(MOST, _NAME))
    name: str | None = attrs.field(default=None, validator=_NAME)
    group: str | None = attrs.field(default=None, validator=_NAME)
    status: tuple[JobStatus, ...] = attrs.field(default=(), validator=maximum.Items(maxima.CHOICES))
    user_id: str | None = attrs.field(default=None, validator=_NAME)
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class PrioritySelection(SelectionRequest):
    """Which jobs, and their priority override, or null to remove it."""

    priority_override: int | None = attrs.field(validator=OVERRIDE)


@attrs.frozen(kw_only=True)
class SettleSelection(SelectionRequest):
    """Which jobs, and how they ended: ``not_run`` or ``failed``. (A handle belongs to one job, so ``ran`` is not
    possible.)
    """

    verdict: Literal["not_run", "failed"]


def _asked(call: Call[Any, Any]) -> dict[str, Any]:
    """The arguments that all changes have in common: which jobs, who may see them, and how."""
    body = call.body
    selection = Selection(body.jobs, body.name, body.group, body.status, body.user_id)
    return {"selection": selection, "viewer": call.peer.viewer, "dry_run": body.dry_run, "seconds": SECONDS}


async def cancel(call: Call[SelectionRequest, Nothing]) -> SelectionDocument:
    """Cancel several jobs, newest first; a selection is made among jobs that have not ended."""
    selections = call.runtime.selections
    return selection_document(await selections.cancel(**_asked(call), by=call.by, level=call.peer.level))


async def retry(call: Call[SelectionRequest, SubmitQuery]) -> SelectionDocument:
    """Submit several ended jobs again as new jobs of yours; a selection is made among failed and cancelled jobs."""
    selections, submitter = call.runtime.selections, call.peer.submitter
    return selection_document(await selections.retry(**_asked(call), submitter=submitter, check=call.query.check))


async def prioritise(call: Call[PrioritySelection, Nothing]) -> SelectionDocument:
    """Override the priority of several waiting jobs, or remove the override; a selection is made among waiting jobs."""
    selections, override = call.runtime.selections, call.body.priority_override
    return selection_document(await selections.prioritise(**_asked(call), override=override, by=call.by))


async def settle(call: Call[SettleSelection, Nothing]) -> SelectionDocument:
    """Record how several uncertain jobs ended; a selection is made among uncertain jobs."""
    selections, verdict = call.runtime.selections, call.body.verdict
    return selection_document(await selections.settle(**_asked(call), verdict=verdict, by=call.by))


async def remove_many(call: Call[SelectionRequest, Nothing]) -> SelectionDocument:
    """Remove several ended jobs with their directories, events and keys; a selection is made among ended jobs."""
    return selection_document(await call.runtime.selections.remove(**_asked(call), by=call.by))


async def remove(call: Call[Nothing, Nothing]) -> RemovedJob:
    """Remove an ended job with its directory, events and keys.

    409 while the job is needed: by a job that waits for it or runs after it, by a submission that is not settled, or
    because its output is being copied.
    """
    return await call.runtime.removing.remove(call.path("job_id"), by=call.by)


ROUTES = [
    route("POST", "/api/jobs/cancel", cancel, CHANGES_OWN_JOBS),
    route("POST", "/api/jobs/retry", retry, CHANGES_OWN_JOBS),
    route("POST", "/api/jobs/prioritise", prioritise, LEAD),
    route("POST", "/api/jobs/settle", settle, ADMIN),
    route("POST", "/api/jobs/remove", remove_many, CHANGES_OWN_JOBS),
    route("DELETE", "/api/jobs/{job_id}", remove, CHANGES_OWN_JOB),
]
