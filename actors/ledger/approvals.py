"""Decisions of people: approve, reject, cancel, prioritise; and `expire`, which follows from
the deadline.

An approval is decided once, by one compare-and-set: a second decision changes nothing and is refused with the reason.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs

from actors.jobs.deadlines import EXPIRED_ENTRY, expired_job_message, is_expired
from actors.jobs.events import EventType
from actors.jobs.levels import check_override, level_reaches
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import WAITING_ENTRIES, ApprovalRequest, ApprovalStatus, Job, QueueStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.base import Pair, advance, change, emit, load, load_readable
from actors.store import Transaction, approvals

_LATER = timedelta(minutes=5)


def approve(tx: Transaction, approval_id: str, *, by: str, level: str, self_approval: bool) -> ApprovalRequest:
    """Grant a request; its job may then run. Without ``self_approval``, refused for a job of ``by``."""
    request = _open_request(tx, approval_id, level)
    pair = load(tx, request.job_id)
    if not self_approval and pair.job.request.user_id == by:
        raise Refused(
            f"job {request.job_id} is {by}'s own: somebody else must approve it (approvals.self_approval)",
            RefusalKind.FORBIDDEN,
        )
    decided = _decide(tx, request, ApprovalStatus.APPROVED, by)
    _check_known(pair)
    eligible = {"queued_at": tx.now, "queued_seq": tx.next_order()}
    advance(tx, pair, Trigger.APPROVE, entry=eligible, data={"approval_id": approval_id, "by": by})
    return decided


def reject(tx: Transaction, approval_id: str, *, by: str, reason: str, level: str) -> ApprovalRequest:
    """Reject a request: its queue entry fails, and its job is cancelled (B14)."""
    request = _open_request(tx, approval_id, level)
    pair = load(tx, request.job_id)
    _check_known(pair)
    if pair.entry.restored is not None:
        raise Refused(f"{_restored(pair)}; reject it when its provider has answered, or cancel the job")
    decided = _decide(tx, request, ApprovalStatus.REJECTED, by, reason)
    changes = {"error_message": f"Rejected: {reason}" if reason else "Rejected"}
    data = {"approval_id": approval_id, "by": by, "reason": reason}
    advance(tx, pair, Trigger.REJECT, job=changes, entry=changes, data=data)
    return decided


def withdraw(tx: Transaction, approval_id: str, *, by: str | None, level: str) -> ApprovalRequest:
    """Withdraw a request; its job is cancelled.

    The owner of the job may do this. For anybody else it is a decision, which needs the level of the request.
    """
    request = _open_request(tx, approval_id, None)
    pair = load(tx, request.job_id)
    _check_known(pair)
    if pair.job.request.user_id != by:
        _check_level(request, level)
    cancel(tx, request.job_id, by=by, level="admin")
    return attrs.evolve(request, status=ApprovalStatus.CANCELLED, decided_at=tx.now, decided_by=by)


def expire(tx: Transaction, approval_id: str) -> bool:
    """End one request past its deadline. False: it was decided before (B16), or its job's row is damaged."""
    request = approvals.get(tx.connection, approval_id)
    if request is None or not is_expired(request, tx.now):
        return False
    pair = load_readable(tx, request.job_id)
    if pair is not None and pair.entry.restored is not None:  # it may have been decided, and run, since the backup
        approvals.prolong(tx.connection, approval_id, tx.now + _LATER)
        return False
    if pair is None or not approvals.decide(tx.connection, approval_id, ApprovalStatus.EXPIRED, decided_at=tx.now):
        return False
    advance(
        tx,
        pair,
        Trigger.EXPIRE,
        job={"error_message": expired_job_message(request.timeout_seconds)},
        entry={"error_message": EXPIRED_ENTRY},
        data={"approval_id": approval_id, "message": "Approval request expired and job was auto-rejected"},
    )
    return True


def cancel(tx: Transaction, job_id: str, *, by: str | None, level: str) -> Job:
    """Cancel a waiting job, or request the end of one that was claimed (B14).

    An open approval request of the job is closed with it. If ``level``, that of ``by``, is too low to decide the
    request, it is closed without a decision: a person who may cancel a job does not decide for an admin.
    """
    pair = load(tx, job_id)
    if pair.job.is_terminal:
        raise Refused(f"job {job_id} has already ended ({pair.job.status.value}); there is nothing to cancel")
    if pair.entry.status in WAITING_ENTRIES and pair.entry.restored is None:
        request = approvals.of_jobs(tx.connection, [job_id]).get(job_id)
        if request is not None and request.status is ApprovalStatus.PENDING:
            if by == pair.job.request.user_id or level_reaches(level, request.required_level):
                _decide(tx, request, ApprovalStatus.CANCELLED, by)
            else:
                _decide(tx, request, ApprovalStatus.CANCELLED, None, f"its job was cancelled by {by}")
        changes = {"error_message": f"Cancelled by {by}" if by else "Cancelled"}
        return advance(tx, pair, Trigger.CANCEL_WAITING, job=changes, entry=changes).job
    if pair.job.cancel_requested_at is not None:
        return pair.job
    after = change(tx, pair, job={"cancel_requested_at": tx.now, "cancel_requested_by": by})
    emit(tx, after.job, EventType.JOB_CANCEL_REQUESTED, status=after.job.status.value, by=by)
    return after.job


def prioritise(tx: Transaction, job_id: str, override: int | None, *, by: str | None) -> None:
    """Override a waiting job's priority, or remove the override (B9)."""
    try:
        check_override(override)
    except ValueError as error:
        raise Refused(str(error), RefusalKind.INVALID, field="priority_override") from error
    pair = load(tx, job_id)
    if pair.entry.status not in WAITING_ENTRIES:
        raise Refused(f"job {job_id} no longer waits ({pair.entry.status.value}); its priority decides nothing")
    job = change(tx, pair, entry={"priority_override": override}).job
    emit(tx, job, EventType.JOB_PRIORITY_CHANGED, status=job.status.value, priority_override=override, by=by)


def _open_request(tx: Transaction, approval_id: str, level: str | None) -> ApprovalRequest:
    """The request, if a person of ``level`` (None: any) can decide it now. Raises :class:`Refused`."""
    request = approvals.get(tx.connection, approval_id)
    if request is None:
        raise Refused(f"there is no approval request {approval_id}", RefusalKind.NOT_FOUND)
    if request.status is ApprovalStatus.EXPIRED or is_expired(request, tx.now):
        raise Refused(f"approval request {approval_id} expired at {request.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    if request.status is not ApprovalStatus.PENDING:
        raise Refused(f"approval request {approval_id} was already {request.status.value}")
    if level is not None:
        _check_level(request, level)
    return request


def _check_known(pair: Pair) -> None:
    """Raises :class:`Refused` if a restore could not find out whether the job has run since the request."""
    if pair.entry.status is not QueueStatus.BLOCKED:
        raise Refused(f"{_restored(pair)}; greenroom settle {pair.job.job_id} first")


def _restored(pair: Pair) -> str:
    return f"job {pair.job.job_id} was restored from a backup, and it is not known yet whether it has run since"


def _check_level(request: ApprovalRequest, level: str) -> None:
    if not level_reaches(level, request.required_level):
        message = f"approval request {request.approval_id} needs level {request.required_level}, not {level}"
        raise Refused(message, RefusalKind.FORBIDDEN)


def _decide(
    tx: Transaction, request: ApprovalRequest, status: ApprovalStatus, by: str | None, reason: str | None = None
) -> ApprovalRequest:
    decision: dict[str, Any] = {"decided_at": tx.now, "decided_by": by, "decision_reason": reason}
    if not approvals.decide(tx.connection, request.approval_id, status, **decision):
        raise Refused(f"approval request {request.approval_id} was decided by somebody else at the same moment")
    return attrs.evolve(request, status=status, **decision)
