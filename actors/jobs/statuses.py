"""The statuses of jobs, queue entries, submissions and approval requests: only names, quickly imported.

The command line needs them before anything else, without the records (:mod:`actors.jobs.records`) and attrs.
"""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """The status of a job (B17)."""

    PENDING = "pending"
    UPLOADING = "uploading"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class QueueStatus(StrEnum):
    """The status of a queue entry (B12). ``READY`` is derived, never stored: pending, and its back-off has ended."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


class ApprovalStatus(StrEnum):
    """The status of an approval request (B17)."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class SubmissionState(StrEnum):
    """What is known about one submission to a provider.

    ``INTENT``: committed; the call is about to be made or being made. ``UNKNOWN``: the call was made and its answer was
    lost; the provider must be asked. ``HANDED``: the provider has the job. ``CLOSED``: nothing more is to be done.
    """

    INTENT = "intent"
    UNKNOWN = "unknown"
    HANDED = "handed"
    CLOSED = "closed"


class Restored(StrEnum):
    """What is still unknown about a queue entry after a restore from a backup.

    ``LOOK_UP``: its provider is still to be asked whether the job ran after the backup was made. The others: that could
    not be found out, so the job is uncertain and holds no slot; in the backup its entry had this status.
    """

    LOOK_UP = "look_up"
    PENDING = "pending"
    BLOCKED = "blocked"
    RUNNING = "running"


class Phase(StrEnum):
    """The state of a job at its provider, in the same terms for all providers."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    UNKNOWN = "unknown"


ACTIVE_JOBS = frozenset({JobStatus.PENDING, JobStatus.UPLOADING, JobStatus.QUEUED, JobStatus.RUNNING})
TERMINAL_JOBS = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
WAITING_ENTRIES = frozenset({QueueStatus.PENDING, QueueStatus.BLOCKED})
