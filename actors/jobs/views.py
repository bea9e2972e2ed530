"""Records for those who look: a job with what is known around it, and the queue at one moment."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.jobs.options import Limits
from actors.jobs.records import ApprovalRequest, Job, QueueEntry, QueueStatus, Submission


@attrs.frozen
class Accepted:
    """The answer to one request: its job, and whether it was made now or stood there under the same key (B20)."""

    job: Job
    entry: QueueEntry
    approval: ApprovalRequest | None
    created: bool


@attrs.frozen
class JobView:
    """A job with all that is known around it. ``reason``: why it waits, and the setting that changes that (C7)."""

    job: Job
    entry: QueueEntry
    queue_status: QueueStatus
    approval: ApprovalRequest | None = None
    submission: Submission | None = None
    reason: str | None = None
    setting: str | None = None
    position: int | None = None
    estimate: float | None = None


@attrs.frozen
class QueueView:
    """The queue at one moment: what waits, in the order in which it would run, and what bounds it."""

    waiting: tuple[JobView, ...]
    running: int
    counts: Mapping[str, int]
    limits: Limits
    limit_sources: Mapping[str, str]
    closed_providers: Mapping[str, str]
    summary: str
