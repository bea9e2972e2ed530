"""Jobs of which a restore cannot tell whether they run: marking one as uncertain, and what must be undone with that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from actors.jobs.ids import submission_key
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import ApprovalStatus, QueueStatus, Restored, Submission, SubmissionState
from actors.ledger.base import Pair, advance, change
from actors.ledger.observe import flag_uncertain
from actors.store import Transaction, approvals, submissions

Token = Callable[[], str]


def make_uncertain(tx: Transaction, pair: Pair, reason: str, token: Token) -> Pair:
    """Nobody can tell whether a restored job runs: it holds no slot, and a person settles it.

    ``token``: makes the token of a submission of which only the key is known.
    """
    before = pair.entry.status
    if before is not QueueStatus.RUNNING:
        pair = advance(tx, pair, Trigger.RESTORE, entry={"started_at": tx.now}, data={"reason": reason})
        put_unknown(tx, submission_key(pair.job.job_id, pair.entry.attempt), pair.job.job_id, token, reason)
    pair = change(tx, pair, entry={"restored": Restored(before.value)})
    return Pair(flag_uncertain(tx, pair, reason), pair.entry)


def put_unknown(tx: Transaction, key: str, job_id: str, token: Token, error: str | None = None) -> None:
    """Write a submission that may have been made after the backup."""
    unknown = Submission(job_id, key, token(), SubmissionState.UNKNOWN, tx.now, error=error)
    submissions.put(tx.connection, [unknown])


def prolong_request(tx: Transaction, job_id: str) -> None:
    """Let the time-out of the job's open approval request begin anew, because nobody could decide it until now."""
    request = approvals.of_jobs(tx.connection, [job_id]).get(job_id)
    if request is not None and request.status is ApprovalStatus.PENDING:
        until = max(request.expires_at, tx.now + timedelta(seconds=request.timeout_seconds))
        approvals.prolong(tx.connection, request.approval_id, until)


def close_request(tx: Transaction, job_id: str, why: str) -> None:
    """Close the job's open approval request, if it has one, because it need not be decided any more."""
    request = approvals.of_jobs(tx.connection, [job_id]).get(job_id)
    if request is not None and request.status is ApprovalStatus.PENDING:
        approvals.decide(
            tx.connection, request.approval_id, ApprovalStatus.CANCELLED,
            decided_at=tx.now, decided_by=None, decision_reason=why,
        )  # fmt: skip
