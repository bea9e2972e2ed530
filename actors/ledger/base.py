"""What every closure of the ledger shares: a job with its entry, one step of the table, one event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from actors.jobs.lifecycle import Step, Trigger, step
from actors.jobs.records import TERMINAL_JOBS, Job, QueueEntry, QueueStatus, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused
from actors.store import Transaction, jobs, queue, submissions
from actors.store.transaction import passes_events_on

passes_events_on(__file__)
TERMINAL_ENTRIES = frozenset({QueueStatus.COMPLETED, QueueStatus.FAILED, QueueStatus.CANCELLED})


@attrs.frozen
class Pair:
    """A job and its queue entry as one transaction sees them."""

    job: Job
    entry: QueueEntry


def load(tx: Transaction, job_id: str) -> Pair:
    """The job of this id. Raises :class:`Refused` where there is none."""
    job = jobs.get(tx.connection, job_id)
    entry = queue.get(tx.connection, job_id)
    if job is None or entry is None:
        raise Refused(f"there is no job {job_id}", RefusalKind.NOT_FOUND)
    return Pair(job, entry)


def next_step(pair: Pair, trigger: Trigger) -> Step | None:
    """What follows from ``trigger``; None where it cannot happen."""
    return step(pair.job.status, pair.entry.status, trigger)


def advance(
    tx: Transaction,
    pair: Pair,
    trigger: Trigger,
    *,
    job: Mapping[str, Any] | None = None,
    entry: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    cycle: str | None = None,
) -> Pair | None:
    """Take one step: both rows and the event that tells of it. None (and nothing written) where it cannot happen.

    ``job`` and ``entry`` are further column changes, ``data`` goes into the event, ``cycle`` is the correlation ID of
    the cycle or request in which this happened (A14).
    """
    following = next_step(pair, trigger)
    if following is None:
        return None
    job_changes: dict[str, Any] = {"status": following.job, **(job or {})}
    entry_changes: dict[str, Any] = {"status": following.entry, **(entry or {})}
    if following.job in TERMINAL_JOBS:
        job_changes.setdefault("completed_at", tx.now)
        job_changes.setdefault("uncertain_since", None)
        job_changes.setdefault("uncertain_reason", None)
    if following.entry in TERMINAL_ENTRIES:
        entry_changes.setdefault("completed_at", tx.now)
    after = change(tx, pair, job=job_changes, entry=entry_changes)
    told: dict[str, Any] = {"status": following.job.value, **(data or {})}
    if following.job in TERMINAL_JOBS and after.job.error_message:
        told.setdefault("error_message", after.job.error_message)
    emit(tx, after.job, following.event, cycle=cycle, **told)
    return after


def change(
    tx: Transaction, pair: Pair, *, job: Mapping[str, Any] | None = None, entry: Mapping[str, Any] | None = None
) -> Pair:
    """Write changes of columns and return the rows as they are now. Tells of nothing: callers emit."""
    after_job, after_entry = pair.job, pair.entry
    if job:
        jobs.change(tx.connection, pair.job, tx.now, **job)
        after_job = attrs.evolve(pair.job, **job, updated_at=tx.now, version=pair.job.version + 1)
    if entry:
        queue.change(tx.connection, pair.job.job_id, **entry)
        after_entry = attrs.evolve(pair.entry, **entry)
    return Pair(after_job, after_entry)


def emit(tx: Transaction, job: Job, type_: str, *, cycle: str | None = None, **data: Any) -> None:
    """Tell of a change of ``job`` under its own correlation ID; the event says whose job it is."""
    data["user_id"] = job.request.user_id
    if cycle is not None and cycle != job.correlation_id:
        data["cycle_id"] = cycle
    tx.emit(type_, job.job_id, job.correlation_id, **data)


def close_submission(tx: Transaction, key: str, error: str | None = None) -> None:
    """Nothing remains to be done about this hand-over."""
    submissions.change(tx.connection, key, state=SubmissionState.CLOSED, error=error)
