"""What happens to a claimed job that its provider certainly does not have."""

from __future__ import annotations

from actors.jobs.lifecycle import Trigger
from actors.jobs.retry import DispatchVerdict
from actors.ledger.base import UNFLAGGED, Pair, advance, close_submission
from actors.store import Transaction


def requeue_or_fail(tx: Transaction, pair: Pair, key: str, verdict: DispatchVerdict) -> Pair:
    """Return a claimed job to the queue, or fail it, or end it if its cancel was requested."""
    close_submission(tx, key, verdict.error_message)
    if pair.job.cancel_requested_at is not None:
        return advance(tx, pair, Trigger.OBSERVE_CANCELLED)
    spent = {"attempt": verdict.attempt, "error_message": verdict.error_message}
    if verdict.trigger is Trigger.FAIL:
        job = {"error_message": verdict.error_message, **UNFLAGGED}
        return advance(tx, pair, Trigger.FAIL, job=job, entry=spent)
    entry = {**spent, "not_before": verdict.not_before, "wait_seconds": verdict.wait, "started_at": None}
    return advance(tx, pair, Trigger.REQUEUE, job=UNFLAGGED, entry=entry, data=spent)
