"""Answers about jobs, their events and the queue."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.approvals import ApprovalDocument
from actors.documents.words import Document, Moment


class ResourcesDocument(TypedDict):
    """What a job needs."""

    cpus: int
    gpus: int
    memory: int | None


class UncertainDocument(TypedDict):
    """Since when, and why, nobody can tell whether a job runs."""

    since: Moment | None
    reason: str | None


class SubmissionDocument(TypedDict):
    """A job's last hand-over: the key under which its provider knows it, and the provider's own handle."""

    key: str
    state: str
    handle: Document | None
    handed_at: Moment | None


class JobDocument(TypedDict):
    """A job with what is known around it: ``reason`` and ``setting`` say why it waits and what changes that."""

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


class AcceptedDocument(JobDocument):
    """The answer to a request: its job, and whether it was ``created`` now or stood there under the same key."""

    created: bool


class JobsDocument(TypedDict):
    """A page of jobs, newest first. ``next`` goes into ``cursor`` for the page after; null: this is the last one."""

    jobs: list[JobDocument]
    next: str | None


class EventDocument(TypedDict):
    """A change, told once. What else there is depends on its type; of a job's there is ``user_id``, whose job it is."""

    type: str
    job_id: str | None
    seq: int
    time: Moment | None
    correlation_id: str


class EventsDocument(TypedDict):
    """Events in order. ``next`` goes into ``after`` for the page after; null: nothing more has happened yet."""

    events: list[EventDocument]
    next: int | None


class EventTypeDocument(TypedDict):
    """A type of event. ``named``: in a stream of server-sent events it is the event's name, too."""

    type: str
    named: bool


class EventTypesDocument(TypedDict):
    """Every type of event."""

    types: list[EventTypeDocument]


class LimitDocument(TypedDict):
    """A limit that holds. ``source``: ``configured``, or ``stored``: changed at run time."""

    name: str
    value: int | bool
    source: str


class LimitsDocument(TypedDict):
    """Every limit."""

    limits: list[LimitDocument]


class QueueHead(TypedDict):
    """What bounds the queue; a provider that is closed says why.

    ``pruning_held``: why nothing is removed by its age now and how that ends; null where nothing holds it.
    """

    summary: str
    running: int
    counts: dict[str, int]
    limits: list[LimitDocument]
    closed_providers: dict[str, str]
    paused: str | None
    pruning_held: str | None


class QueueDocument(QueueHead):
    """The queue at one moment, in the order in which it would run; a provider that is closed says why.

    ``next`` goes into ``cursor`` for the page after, which is ordered as of this moment; null: this is the last one.
    """

    waiting: list[JobDocument]
    next: str | None


class QueueStatsDocument(TypedDict):
    """The queue in numbers: entries by status, why nothing more runs, and how long the oldest entry waits."""

    summary: str
    running: int
    counts: dict[str, int]
    oldest_wait_seconds: float | None
    closed_providers: dict[str, str]
    paused: str | None


class EntryDocument(TypedDict):
    """A job's place in the queue. ``position``: how many would be looked at before it, 0 for the first."""

    job_id: str
    queue_status: str
    position: int | None
    estimate_seconds: float | None
    priority: int
    priority_override: int | None
    attempt: int
    max_attempts: int
    queued_at: Moment | None
    not_before: Moment | None
    reason: str | None
    setting: str | None
