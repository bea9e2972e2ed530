"""Jobs."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.approvals import ApprovalDocument, approval_document
from actors.documents.common import Document, Moment, from_fields, moment
from actors.documents.notifications import NotificationDocument, notification_document
from actors.jobs.os_text import shown
from actors.jobs.views import Accepted, JobView


class ResourcesDocument(TypedDict):
    """What a job needs."""

    cpus: int
    gpus: int
    memory: int | None


class UncertainDocument(TypedDict):
    """Since when, and why, it is not known whether a job runs."""

    since: Moment | None
    reason: str | None


class SubmissionDocument(TypedDict):
    """A job's last hand-over: the key under which its provider knows it, and the provider's own handle."""

    key: str
    state: str
    handle: Document | None
    handed_at: Moment | None


class JobDocument(TypedDict):
    """A job with what is known around it: ``reason`` and ``setting`` say why it waits and what changes that.

    ``notify``: the targets that it names. ``notifications``: what they were sent, the newest 100; null in lists.
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
    resources: ResourcesDocument
    priority: int
    priority_override: int | None
    attempt: int
    max_attempts: int
    created_at: Moment | None
    queued_at: Moment | None
    not_before: Moment | None
    started_at: Moment | None
    completed_at: Moment | None
    cost_usd: float | None
    error_message: str | None
    output_url: str | None
    exit_code: int | None
    signal: int | None
    progress: Document | None
    result: Document | None
    cancel_requested_at: Moment | None
    cancel_requested_by: str | None
    uncertain: UncertainDocument | None
    retry_of: str | None
    reason: str | None
    setting: str | None
    position: int | None
    estimate_seconds: float | None
    submission: SubmissionDocument | None
    approval: ApprovalDocument | None
    notify: list[str]
    notifications: list[NotificationDocument] | None


def job_document(view: JobView) -> JobDocument:
    """A job with what is known around it: ``reason`` and ``setting`` say why it waits and what changes that."""
    job, entry, request = view.job, view.entry, view.job.request
    since = moment(job.uncertain_since)
    return from_fields(
        JobDocument, job, entry, view, request,
        command=[shown(word) for word in request.command] if request.command is not None else None,
        resources=from_fields(ResourcesDocument, request.resources),
        priority=entry.base_priority if entry.priority_override is None else entry.priority_override,
        error_message=job.error_message or entry.error_message,
        uncertain=None if since is None else {"since": since, "reason": job.uncertain_reason},
        estimate_seconds=view.estimate,
        submission=None if view.submission is None else from_fields(SubmissionDocument, view.submission),
        approval=None if view.approval is None else approval_document(view.approval),
        notifications=None if view.notifications is None else [*map(notification_document, view.notifications)],
    )  # fmt: skip


class AcceptedDocument(JobDocument):
    """The answer to a request: its job, and whether it was ``created`` now or stood there under the same key."""

    created: bool


def accepted_document(accepted: Accepted) -> AcceptedDocument:
    """The answer to a request: its job, and whether it was ``created`` now or stood there under the same key."""
    view = JobView(accepted.job, accepted.entry, accepted.entry.status, accepted.approval)
    return {**job_document(view), "created": accepted.created}


class JobsDocument(TypedDict):
    """A page of jobs, newest first. ``next`` goes into ``cursor`` for the page after; null: this is the last one."""

    jobs: list[JobDocument]
    next: str | None
