"""What happens to a claimed job that its provider surely does not have."""

from __future__ import annotations

from actors.jobs.lifecycle import Trigger
from actors.jobs.retry import DispatchVerdict
from actors.ledger.base import Pair, advance, close_submission
from actors.store import Transaction

UNFLAGGED = {"uncertain_since": None, "uncertain_reason": None}


def put_back_or_give_up(
    tx: Transaction, pair: Pair, key: str, verdict: DispatchVerdict, cycle: str | None
) -> Pair | None:
    """Return a claimed job to the queue, or fail it, or end it where a cancel was waiting for this answer."""
    close_submission(tx, key, verdict.error_message)
    if pair.job.cancel_requested_at is not None:
        return advance(tx, pair, Trigger.OBSERVE_CANCELLED, cycle=cycle)
    if verdict.trigger is Trigger.GIVE_UP:
        job = {"error_message": verdict.error_message, **UNFLAGGED}
        entry = {"attempt": verdict.attempt, "error_message": verdict.error_message}
        return advance(tx, pair, Trigger.GIVE_UP, job=job, entry=entry, cycle=cycle)
    entry_changes = {
        "attempt": verdict.attempt,
        "not_before": verdict.not_before,
        "wait_seconds": verdict.wait,
        "error_message": verdict.error_message,
        "started_at": None,
    }
    data = {"attempt": verdict.attempt, "error_message": verdict.error_message}
    return advance(tx, pair, Trigger.PUT_BACK, job=UNFLAGGED, entry=entry_changes, data=data, cycle=cycle)
