"""What answers hold, as types: :mod:`actors.api.documents` makes them, the OpenAPI document is generated from them.

Field names are promises. Times are UTC texts with milliseconds and ``Z`` (``Moment``), money is US dollars, memory is
bytes, durations are seconds. A field that does not apply is null, never absent.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

Moment = Annotated[str, "date-time"]
Document = dict[str, Any]


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


class ApprovalDocument(TypedDict):
    """A question put to a person, and how it was decided."""

    approval_id: str
    job_id: str
    status: str
    reason: str
    required_level: str
    rule_id: int | None
    requested_at: Moment | None
    expires_at: Moment | None
    decided_at: Moment | None
    decided_by: str | None
    decision_reason: str | None


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
    """A page of jobs, newest first. ``next`` goes into ``before`` for the page after; null: this is the last one."""

    jobs: list[JobDocument]
    next: str | None


class EventDocument(TypedDict):
    """A change, told once. What else there is depends on its type."""

    type: str
    job_id: str | None
    seq: int
    time: Moment | None
    correlation_id: str


class EventsDocument(TypedDict):
    """Events in order. ``next`` goes into ``after`` for the page after; null: nothing more has happened yet."""

    events: list[EventDocument]
    next: int | None


class LimitDocument(TypedDict):
    """A limit that holds. ``source``: ``configured``, or ``stored``: changed at run time."""

    name: str
    value: int | bool
    source: str


class LimitsDocument(TypedDict):
    """Every limit."""

    limits: list[LimitDocument]


class QueueDocument(TypedDict):
    """The queue at one moment, in the order in which it would run; a provider that is closed says why."""

    summary: str
    running: int
    counts: dict[str, int]
    limits: list[LimitDocument]
    closed_providers: dict[str, str]
    paused: str | None
    waiting: list[JobDocument]


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


class ApprovalsDocument(TypedDict):
    """Approval requests, newest first."""

    approvals: list[ApprovalDocument]


class DecisionDocument(TypedDict):
    """What became of one request of many: its document, or the problem that hindered it."""

    approval_id: str
    decided: bool
    approval: ApprovalDocument | None
    problem: str | None


class DecisionsDocument(TypedDict):
    """A result for each request, in the order in which they were asked about."""

    results: list[DecisionDocument]


class RuleDocument(TypedDict):
    """An approval rule that holds. ``source``: ``configured``, or ``stored``: made or replaced at run time."""

    rule_id: int
    name: str
    condition: str
    value: float | str | None
    priority: int
    applies_to_provider: str | None
    applies_to_level: str | None
    exempt_levels: list[str]
    required_approver_level: str
    is_active: bool
    source: str
    changed_at: Moment | None
    changed_by: str | None


class RulesDocument(TypedDict):
    """The rules in the order in which they are tried: the first that holds decides."""

    rules: list[RuleDocument]


class CaughtDocument(TypedDict):
    """A job that a rule would have held back, and in which words."""

    job_id: str
    user_id: str
    created_at: Moment | None
    reason: str


class DryRunDocument(TypedDict):
    """Which of the last jobs a rule would have held back."""

    looked_at: int
    caught: list[CaughtDocument]


class PruneDocument(TypedDict):
    """What was removed, or would be."""

    jobs: int
    events: int
    kept: int
    before: Moment | None
    oldest: Moment | None


class TreeDocument(TypedDict):
    """The supervision tree: for each child its state, restarts, uptime, mailbox, last failure and what is below it."""

    children: list[Document]


class DeadLettersDocument(TypedDict):
    """Messages that reached nobody, the oldest first."""

    dead_letters: list[Document]


class QuarantineDocument(TypedDict):
    """Messages whose handling crashed their actor, the oldest first."""

    quarantine: list[Document]


class BreakerDocument(TypedDict):
    """A circuit breaker: ``closed``, ``open`` or ``half_open``, how often it opened, and for how long it stays so."""

    state: str
    opened: int
    rest_seconds: float
    why: str


class ProviderDocument(TypedDict):
    """A provider. ``gate``: why nothing is dispatched there now."""

    name: str
    kind: str | None
    breaker: BreakerDocument
    gate: str | None
    capabilities: Document


class ProvidersDocument(TypedDict):
    """The configured providers."""

    providers: list[ProviderDocument]


class SettingDocument(TypedDict):
    """A setting that holds: its place in the file, its value with secrets masked, and where that came from."""

    key: str
    value: Any
    source: str


class ConfigDocument(TypedDict):
    """Every setting that holds."""

    settings: list[SettingDocument]


class HealthDocument(TypedDict):
    """Whether the runtime does its work, ``ok`` or ``degraded``, and since when it runs."""

    status: str
    reasons: list[str]
    uncertain_jobs: list[str]
    started_at: Moment | None


class WordDocument(TypedDict):
    """One word for those who only ask whether."""

    status: str
