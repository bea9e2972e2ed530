"""Settling unknown outcomes: by the provider's answer, or by a person's decision if the provider cannot tell (B13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.jobs.events import EventType
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import JobStatus, Restored, Submission, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import DispatchVerdict, FailureKind, after_failed_dispatch
from actors.ledger.base import UNFLAGGED, Pair, advance, change, close_submission, emit, load, load_readable
from actors.ledger.requeue import requeue_or_fail
from actors.ledger.uncertain import Token, close_request, make_uncertain, prolong_request
from actors.store import Transaction, deaths, submissions


def settle_absent(tx: Transaction, key: str, *, jitter: Callable[[], float]) -> None:
    """The provider never received the job, so the job returns to the queue, unless its outcome was settled before."""
    submission = submissions.by_key(tx.connection, key)
    if submission is None or submission.state is not SubmissionState.UNKNOWN:
        return
    pair = load_readable(tx, submission.job_id)
    if pair is None:
        return
    if submission.spends_attempt:
        message = submission.error or "the provider never had it"
        verdict = after_failed_dispatch(FailureKind.OTHER, message, pair.entry, tx.now, None, 0, jitter)
    else:
        verdict = _spends_no_attempt(pair)
    requeue_or_fail(tx, pair, key, verdict)


def settle(
    tx: Transaction, job_id: str, verdict: str, *, handle: Mapping[str, Any] | None, by: str, token: Token
) -> Pair:
    """Record a person's decision about an uncertain job: ``ran``, ``not_run`` or ``failed``.

    Also about a restored one that is still to be looked up. ``token``: makes the token of a submission that has none
    yet.
    """
    pair = load(tx, job_id)
    if pair.entry.restored is Restored.LOOK_UP:
        pair = make_uncertain(tx, pair, "it was settled before its provider could be asked", token)
    submission = submissions.newest(tx.connection, job_id)
    if submission is None or submission.state is SubmissionState.CLOSED or pair.job.uncertain_since is None:
        raise Refused(f"job {job_id} is not uncertain ({pair.job.status.value}); there is nothing to settle")
    emit(tx, pair.job, EventType.JOB_SETTLED, verdict=verdict, by=by)
    if pair.entry.restored is Restored.BLOCKED:
        if verdict == "not_run" and pair.job.cancel_requested_at is None:
            close_submission(tx, submission.key)
            prolong_request(tx, job_id)
            entry = {"started_at": None, "restored": None}
            return advance(tx, pair, Trigger.RESTORE_BLOCKED, job=UNFLAGGED, entry=entry)
        close_request(tx, job_id, f"its job was settled by {by}")
    if verdict == "ran":
        return _ran(tx, pair, submission, handle or submission.handle)
    if verdict == "failed":
        close_submission(tx, submission.key)
        changes = {"error_message": f"settled as failed by {by}"}
        return advance(tx, pair, Trigger.OBSERVE_FAILED, job=changes, entry=changes)
    return _not_run(tx, pair, submission)


def _ran(tx: Transaction, pair: Pair, submission: Submission, handle: Mapping[str, Any] | None) -> Pair:
    if handle is None:
        raise Refused("--ran needs the handle under which the provider knows the job", RefusalKind.INVALID)
    submissions.change(tx.connection, submission.key, state=SubmissionState.HANDED, handle=handle, handed_at=tx.now)
    return change(tx, pair, job=UNFLAGGED)


def _not_run(tx: Transaction, pair: Pair, submission: Submission) -> Pair:
    if pair.job.status is not JobStatus.UPLOADING:
        raise Refused(
            f"job {pair.job.job_id} was seen {pair.job.status.value} at its provider, so it did run; "
            "settle it as --failed, then retry it"
        )
    deaths.try_again(tx.connection, pair.job.job_id)
    return requeue_or_fail(tx, pair, submission.key, _spends_no_attempt(pair))


def _spends_no_attempt(pair: Pair) -> DispatchVerdict:
    """A lost answer spends no attempt, and nothing is to be waited for."""
    return DispatchVerdict(Trigger.REQUEUE, pair.entry.attempt)
