"""What all changes in the ledger have in common: a job with its entry, one transition of the table, one event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from actors.jobs.events import EventType
from actors.jobs.lifecycle import Trigger, step
from actors.jobs.records import (
    TERMINAL_JOBS,
    WAITING_ENTRIES,
    Job,
    QueueEntry,
    QueueStatus,
    Restored,
    SubmissionState,
)
from actors.jobs.refusal import RefusalKind, Refused
from actors.store import Transaction, dependencies, jobs, queue, rows, submissions
from actors.store.errors import DamagedRow
from actors.store.transaction import passes_events_on

passes_events_on(__file__)
TERMINAL_ENTRIES = frozenset({QueueStatus.COMPLETED, QueueStatus.FAILED, QueueStatus.CANCELLED})
UNFLAGGED = {"uncertain_since": None, "uncertain_reason": None}
"""The columns of a job that is not uncertain."""


@attrs.frozen
class Pair:
    """A job and its queue entry as one transaction sees them."""

    job: Job
    entry: QueueEntry


def load(tx: Transaction, job_id: str) -> Pair:
    """The job of this id. Raises :class:`Refused` if there is none, ``DamagedRow`` if it cannot be read."""
    job = jobs.get(tx.connection, job_id)
    entry = queue.get(tx.connection, job_id)
    if job is None or entry is None:
        raise Refused(f"there is no job {job_id}", RefusalKind.NOT_FOUND)
    return Pair(job, entry)


def load_many(tx: Transaction, job_ids: Iterable[str]) -> dict[str, Pair]:
    """The jobs of these ids; damaged ones are left out and reported."""
    ids = list(job_ids)
    found, entries = jobs.get_many(tx.connection, ids), queue.get_many(tx.connection, ids)
    return {one: Pair(found[one], entries[one]) for one in ids if one in found and one in entries}


def load_claimed(tx: Transaction, providers: Mapping[str, str]) -> dict[str, Pair]:
    """Like :func:`load_many`; ``providers``: by job id, the provider of its lane. A job whose row names another one is
    damaged.
    """
    pairs = load_many(tx, providers)
    for job_id, pair in list(pairs.items()):
        if pair.job.provider != providers[job_id]:
            rows.report(DamagedRow(f"the row of Job {job_id} names provider {pair.job.provider}, its entry another"))
            del pairs[job_id]
    return pairs


def load_readable(tx: Transaction, job_id: str) -> Pair | None:
    """Like :func:`load`, for the runtime's own work: None, reported once, if the job's row is damaged.

    A damaged job stays as it is until a person repairs its row; it must not end the scheduler or the poller, which
    serve all other jobs.
    """
    try:
        return load(tx, job_id)
    except DamagedRow as error:
        rows.report(error)
        return None


def advance(
    tx: Transaction,
    pair: Pair,
    trigger: Trigger,
    *,
    job: Mapping[str, Any] | None = None,
    entry: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    entry_is_written: bool = False,
) -> Pair:
    """Make one transition of the table: change both rows, and write its event.

    ``job`` and ``entry`` are further column changes, ``data`` is put into the event. ``entry_is_written``: the entry's
    row has these changes already. The caller must know from the rows of this transaction that the transition is
    possible.
    """
    following = step(pair.job.status, pair.entry.status, trigger)
    assert following is not None, f"{trigger} of job {pair.job.job_id} in {pair.job.status}, {pair.entry.status}"
    job_changes: dict[str, Any] = {"status": following.job, **(job or {})}
    entry_changes: dict[str, Any] = {"status": following.entry, **(entry or {})}
    if following.job in TERMINAL_JOBS:
        job_changes = {"completed_at": tx.now, **UNFLAGGED, **job_changes}
        if pair.entry.is_awaited:
            dependencies.note_end(tx.connection, pair.job.job_id, tx.now)
    if following.entry in TERMINAL_ENTRIES:
        entry_changes.setdefault("completed_at", tx.now)
        if pair.entry.restored is not None:
            entry_changes["restored"] = None
        if pair.entry.start_after is not None:  # it waits for nothing any more
            entry_changes["start_after"] = None
    if pair.entry.status is QueueStatus.RUNNING and following.entry in WAITING_ENTRIES:
        _wait_again(tx, pair)
    if entry_is_written:
        pair, entry_changes = attrs.evolve(pair, entry=attrs.evolve(pair.entry, **entry_changes)), {}
    after = change(tx, pair, job=job_changes, entry=entry_changes)
    event_data: dict[str, Any] = {"status": following.job.value, **(data or {})}
    if following.job in TERMINAL_JOBS and after.job.error_message:
        event_data.setdefault("error_message", after.job.error_message)
    emit(tx, after.job, following.event, **event_data)
    return after


def _wait_again(tx: Transaction, pair: Pair) -> None:
    """It still has parents to wait for where a restore took it out of the queue: their bad ends count from now on."""
    if pair.entry.unfinished_parents and pair.job.request.after_mode == "ok":
        dependencies.reopen(tx.connection, pair.job.job_id, tx.now)


def change(
    tx: Transaction, pair: Pair, *, job: Mapping[str, Any] | None = None, entry: Mapping[str, Any] | None = None
) -> Pair:
    """Write changes of columns and return the present rows. Writes no event: the callers do.

    A job that a restore made uncertain holds its slot again when it is no longer uncertain.
    """
    after_job, after_entry = pair.job, pair.entry
    if pair.entry.restored not in (None, Restored.LOOK_UP) and job and job.get("uncertain_since", tx.now) is None:
        entry = {"restored": None, **(entry or {})}  # a restore made it uncertain, which is over
    if job:
        after_job = jobs.change(tx.connection, pair.job, tx.now, **job)
    if entry:
        after_entry = queue.change_known(tx.connection, pair.entry, **entry)
    return Pair(after_job, after_entry)


def emit(tx: Transaction, job: Job, type_: EventType, **data: Any) -> None:
    """Write an event of ``job`` under the job's correlation ID; the transaction's is its ``cycle_id`` (A14).

    The event says whose job it is.
    """
    data["user_id"] = job.request.user_id
    if tx.correlation_id and tx.correlation_id != job.correlation_id:
        data["cycle_id"] = tx.correlation_id
    tx.emit(type_, job.job_id, job.correlation_id, **data)
    tx.note_for(job, type_, data)


def close_submission(
    tx: Transaction, key: str, error: str | None = None, *, outcome: Mapping[str, Any] | None = None
) -> None:
    """Nothing more is to be done about this submission.

    ``outcome``: how its attempt ended, if the job continues with another one; else the job's own columns say that.
    """
    more = {} if outcome is None else {"outcome": outcome}
    closed = {"state": SubmissionState.CLOSED, "error": error, "closed_at": tx.now, **more}
    submissions.change(tx.connection, key, **closed)
