"""A provider's remarks about a job after its end: they are shown with the job, and do not change its status."""

from __future__ import annotations

from actors.jobs.events import EventType
from actors.ledger.base import change, emit, load_readable
from actors.store import Transaction, submissions

_LONGEST = 2_000


def note_remark(tx: Transaction, key: str, text: str) -> None:
    """Write ``text`` beside the error of the job of submission ``key``; does nothing for a job that was removed."""
    found = submissions.by_key(tx.connection, key)
    if found is None:
        return
    pair = load_readable(tx, found.job_id)
    if pair is None:
        return
    before = pair.job.error_message
    if before is not None and text in before:
        return
    message = text if not before else f"{before}; {text}"
    after = change(tx, pair, job={"error_message": message[:_LONGEST]})
    emit(tx, after.job, EventType.JOB_RESULTS_NOT_COPIED, reason=text[:_LONGEST])
