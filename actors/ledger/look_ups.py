"""The providers' answers about jobs that were restored from a backup, as changes of rows (:mod:`actors.jobs.look_ups`).

A function does nothing if the job is not marked any more: it was settled, or has ended, meanwhile. A job whose state
cannot be found out is *uncertain*, like one with a lost answer; its entry has its former state
(:class:`~actors.jobs.records.Restored`), so that a person's decision can restore it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from actors.jobs.events import EventType
from actors.jobs.ids import attempt_of
from actors.jobs.lifecycle import Trigger
from actors.jobs.look_ups import Adopt, AsItWas, LookUpVerdict, Seen, ToLookUp, Uncertain
from actors.jobs.records import QueueStatus, Restored, Submission, SubmissionState
from actors.ledger.base import UNFLAGGED, Pair, advance, change, close_submission, emit, load_readable
from actors.ledger.dispatch import hand_over
from actors.ledger.observe import apply_observation
from actors.ledger.rerun import OF_AN_ATTEMPT
from actors.ledger.settle import settle_absent
from actors.ledger.uncertain import Token, close_request, make_uncertain, prolong_request, put_unknown
from actors.store import Transaction, dependencies, jobs, queue, restored, submissions

Jitter = Callable[[], float]

_AGAIN = "it ran again after the backup was made"
_NEVER = "its provider never had it; it was submitted again after the backup was made"
_FOUND = "it was found at its provider"


def to_look_up(connection: Connection, provider: str) -> list[ToLookUp]:
    """The restored jobs of a provider that it is still to be asked about."""
    ids = restored.to_look_up(connection, provider)
    if not ids:  # as in nearly every start
        return []
    found, entries = jobs.get_many(connection, ids), queue.get_many(connection, ids)
    handed = submissions.of_jobs(connection, ids)
    return [
        ToLookUp(found[one], entries[one], _open(handed.get(one))) for one in ids if one in found and one in entries
    ]


def _open(submission: Submission | None) -> Submission | None:
    return None if submission is None or submission.state is SubmissionState.CLOSED else submission


def record_look_up(tx: Transaction, job_id: str, verdict: LookUpVerdict, *, token: Token, jitter: Jitter) -> None:
    """Record the result for one job. ``token``: makes the token of a submission of which only the key is known."""
    pair = load_readable(tx, job_id)
    if pair is None or pair.job.is_terminal or pair.entry.restored is not Restored.LOOK_UP:
        return
    match verdict:
        case Adopt(seen):
            _adopt(tx, pair, seen, token)
        case Uncertain(reason):
            make_uncertain(tx, pair, reason, token)
        case AsItWas():
            _go_on(tx, pair, jitter)


def _go_on(tx: Transaction, pair: Pair, jitter: Jitter) -> None:
    """It certainly has not run since: it is as it was in the backup."""
    submission = submissions.newest(tx.connection, pair.job.job_id)
    after = change(tx, pair, entry={"restored": None})
    emit(tx, after.job, EventType.JOB_RESTORED, status=after.job.status.value, reason="it has not run since")
    prolong_request(tx, after.job.job_id)
    if pair.entry.status is QueueStatus.RUNNING:
        if submission is not None:
            settle_absent(tx, submission.key, jitter=jitter)
    elif after.job.cancel_requested_at is not None:
        by = after.job.cancel_requested_by
        changes = {"error_message": f"Cancelled by {by}" if by else "Cancelled"}
        close_request(tx, pair.job.job_id, "its job was cancelled")
        advance(tx, after, Trigger.CANCEL_WAITING, job=changes, entry=changes)
    elif after.entry.unfinished_parents and after.job.request.after_mode == "ok":
        dependencies.reopen(tx.connection, after.job.job_id, tx.now)


def _adopt(tx: Transaction, pair: Pair, seen: Sequence[Seen], token: Token) -> None:
    """Its provider has it: the last attempt of ``seen`` is the present one."""
    newest, job_id, own = seen[-1], pair.job.job_id, None
    if pair.entry.status is QueueStatus.RUNNING:
        own = submissions.newest(tx.connection, job_id)
        if own is not None and own.key == newest.key:
            _recognise(tx, pair, own, newest)
            return
        pair = _forget_attempt(tx, pair, own, seen)
    else:
        close_request(tx, job_id, _FOUND)
    for one in seen[:-1]:
        if own is None or own.key != one.key:
            put_unknown(tx, one.key, job_id, token)
        elif own.handle is not None:
            continue
        submissions.change(tx.connection, one.key, handle=one.handle, handed_at=tx.now)
        close_submission(tx, one.key, _AGAIN)
    attempt = attempt_of(newest.key) - 1
    counted = {"attempt": attempt, "reruns": pair.entry.reruns + len(seen) - 1}
    if len(seen) > 1:
        counted["run_first_attempt"] = attempt
    entry = {**counted, "restored": None, "not_before": None, "start_after": None, "started_at": tx.now}
    advance(tx, pair, Trigger.RESTORE, entry=entry, data={"reason": _FOUND})
    put_unknown(tx, newest.key, job_id, token)
    hand_over(tx, newest.key, newest.handle, newest.observation)


def _recognise(tx: Transaction, pair: Pair, submission: Submission, newest: Seen) -> None:
    """The attempt that was submitted, or may have been, when the backup was made."""
    pair = change(tx, pair, entry={"restored": None})
    if submission.state is not SubmissionState.HANDED:
        hand_over(tx, newest.key, newest.handle, newest.observation)
    elif newest.observation is not None:
        apply_observation(tx, pair, newest.key, newest.observation, with_series=True)


def _forget_attempt(tx: Transaction, pair: Pair, own: Submission | None, seen: Sequence[Seen]) -> Pair:
    """The job was submitted again since the backup: the attempt of then has ended, or its provider never had it."""
    if own is not None and own.state is not SubmissionState.HANDED and all(one.key != own.key for one in seen):
        close_submission(tx, own.key, _NEVER)
        return advance(tx, pair, Trigger.REQUEUE, job=UNFLAGGED, data={"reason": _NEVER})
    if own is not None:
        close_submission(tx, own.key, _AGAIN)
    cleared = {**dict.fromkeys(OF_AN_ATTEMPT), **UNFLAGGED}
    return advance(tx, pair, Trigger.RERUN, job=cleared, data={"reason": _AGAIN})
