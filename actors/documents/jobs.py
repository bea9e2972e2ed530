"""Jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from actors.documents.approvals import ApprovalDocument, approval_document
from actors.documents.common import Document, from_fields
from actors.documents.masked import masked
from actors.documents.notifications import NotificationDocument, notification_document
from actors.jobs.dependencies import Relatives
from actors.jobs.environment import not_set
from actors.jobs.estimates import Span
from actors.jobs.os_text import shown
from actors.jobs.records import JobRequest
from actors.jobs.views import Accepted, Attempt, JobView


class ResourcesDocument(TypedDict):
    """What a job needs."""

    cpus: int
    gpus: int
    memory: int | None


class UncertainDocument(TypedDict):
    """Since when, and why, it is unknown whether a job runs."""

    since: datetime | None
    reason: str | None


class SubmissionDocument(TypedDict):
    """A job's last submission: the key under which its provider knows it, and the provider's own handle."""

    key: str
    state: str
    handle: Document | None
    handed_at: datetime | None


class RerunDocument(TypedDict):
    """When a job runs again automatically; ``delay`` in seconds."""

    times: int
    on: list[str]
    exit_codes: list[int]
    delay: float


class EnvironmentDocument(TypedDict):
    """The names of a job's variables: ``set`` by its request, ``inherited`` from its submitter's environment.

    ``not_set``: names and patterns that were requested but not set in the submitter's environment.
    """

    set: list[str]
    inherited: list[str]
    not_set: list[str]


class JobDocument(TypedDict):
    """A job with its context. ``reason`` and ``setting`` say why it waits and which setting would change that.

    ``notify``: the targets that it names. ``notifications``: the newest 100 of its notifications; null in lists.
    ``reruns``: how often it has run again so far, by ``rerun``. ``attempts``: the newest hundred; null in lists.
    ``estimated_start`` and ``estimated_end``: null if there is no estimate; ``estimate_seconds``: seconds until it
    starts. ``queued_at``: since when it could have started (it is approved, the jobs that it waits for have ended, its
    time has come); before that, since when it exists. ``after`` is as in its request; ``waits_for`` are the jobs that
    this means, ``dependants`` those that wait for it, both null in lists. ``start_after``: null once it has passed.
    ``spec``: options for its provider, with secrets as ``***``; null in lists. ``devices``: those that it got, such as
    GPUs by UUID or index. ``output_directory``: where its files are, if that is on this machine.
    """

    job_id: str
    status: str
    queue_status: str
    correlation_id: str
    provider: str
    user_id: str
    org_id: str | None
    team_id: str | None
    config_name: str | None
    command: list[str] | None
    entry_point: str | None
    params: Document
    spec: Document | None
    cwd: str | None
    environment: EnvironmentDocument
    resources: ResourcesDocument
    devices: list[str] | None
    group: str | None
    max_runtime: float | None
    user_levels: list[str]
    estimated_cost: float | None
    output_directory: str | None
    priority: int
    priority_override: int | None
    attempt: int
    max_attempts: int
    created_at: datetime | None
    queued_at: datetime | None
    not_before: datetime | None
    start_after: datetime | None
    after: list[Any]
    after_mode: str
    waits_for: Relatives | None
    dependants: Relatives | None
    started_at: datetime | None
    completed_at: datetime | None
    cost_usd: float | None
    error_message: str | None
    output_url: str | None
    exit_code: int | None
    signal: int | None
    progress: Document | None
    result: Document | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    uncertain: UncertainDocument | None
    retry_of: str | None
    parameters: Document
    reason: str | None
    setting: str | None
    position: int | None
    estimate_seconds: float | None
    estimated_start: Span | None
    estimated_end: Span | None
    submission: SubmissionDocument | None
    approval: ApprovalDocument | None
    notify: list[str]
    notifications: list[NotificationDocument] | None
    rerun: RerunDocument | None
    reruns: int
    attempts: list[Attempt] | None


def job_document(view: JobView) -> JobDocument:
    """A job with its context. ``reason`` and ``setting`` say why it waits and which setting would change that."""
    job, entry, request = view.job, view.entry, view.job.request
    since = job.uncertain_since
    return from_fields(
        JobDocument, job, entry, view, request,
        command=[shown(word) for word in request.command] if request.command is not None else None,
        spec=None if view.attempts is None else masked(request.spec),
        cwd=None if request.cwd is None else shown(request.cwd),
        environment=_environment(request),
        resources=from_fields(ResourcesDocument, request.resources),
        output_directory=_output_directory(view),
        priority=entry.base_priority if entry.priority_override is None else entry.priority_override,
        error_message=job.error_message or entry.error_message,
        uncertain=None if since is None else {"since": since, "reason": job.uncertain_reason},
        estimate_seconds=view.estimate,
        estimated_start=view.starts,
        estimated_end=view.ends,
        start_after=entry.start_after,
        submission=None if view.submission is None else from_fields(SubmissionDocument, view.submission),
        approval=None if view.approval is None else approval_document(view.approval),
        notifications=None if view.notifications is None else [*map(notification_document, view.notifications)],
        rerun=from_fields(RerunDocument, request.rerun) if request.rerun.times else None,
    )  # fmt: skip


def _environment(request: JobRequest) -> EnvironmentDocument:
    inherited = sorted(request.inherited_env or ())
    return {"set": sorted(request.env), "inherited": inherited, "not_set": not_set(request.env_from, inherited)}


def _output_directory(view: JobView) -> str | None:
    handle = None if view.submission is None else view.submission.handle
    found = (handle or {}).get("output")
    return found if isinstance(found, str) else None


class AcceptedDocument(JobDocument):
    """The answer to a request: its job, and whether it was ``created`` now or existed already under the same key.

    ``warnings``: faults of the request, which was accepted all the same, and what could not be checked.
    """

    created: bool
    warnings: list[str]


def accepted_document(accepted: Accepted) -> AcceptedDocument:
    """The answer to a request: its job, and whether it was ``created`` now or existed already under the same key."""
    view = JobView(accepted.job, accepted.entry, accepted.entry.status, accepted.approval)
    return {**job_document(view), "created": accepted.created, "warnings": list(accepted.warnings)}


class RetriedDocument(AcceptedDocument):
    """The new job. ``also_submitted``: the ids of jobs that wait for it and were submitted anew with it."""

    also_submitted: list[str]


class JobsDocument(TypedDict):
    """A page of jobs, newest first. ``next``: the ``cursor`` of the next page; null: this is the last."""

    jobs: list[JobDocument]
    next: str | None
