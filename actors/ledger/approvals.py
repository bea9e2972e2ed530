"""What people decide: approve, reject, cancel, prioritise; and what time decides for them: expire.

An approval is decided once, by one compare-and-set: whoever comes second changes nothing and is told why.
"""

from __future__ import annotations

from typing import Any

import attrs

from actors.jobs.deadlines import expired_entry_message, expired_job_message, is_expired
from actors.jobs.levels import check_override, may_approve
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import WAITING_ENTRIES, ApprovalRequest, ApprovalStatus, Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.base import Pair, advance, change, emit, load
from actors.store import Transaction, approvals


@attrs.frozen
class Approving:
    """The closure that grants a request: its job may run. Without ``self_approval`` not one of ``by``'s own."""

    approval_id: str
    by: str
    level: str
    cycle: str | None = None
    self_approval: bool = True

    def __call__(self, tx: Transaction) -> ApprovalRequest:
        request = _open_request(tx, self.approval_id, self.level)
        pair = load(tx, request.job_id)
        if not self.self_approval and pair.job.request.user_id == self.by:
            raise Refused(
                f"job {request.job_id} is {self.by}'s own: somebody else must approve it (approvals.self_approval)",
                RefusalKind.FORBIDDEN,
            )
        _decide(tx, request, ApprovalStatus.APPROVED, self.by)
        data = {"approval_id": request.approval_id, "by": self.by}
        after = advance(tx, pair, Trigger.APPROVE, data=data, cycle=self.cycle)
        assert after is not None, f"an open approval on job {pair.job.job_id} in {pair.entry.status}"
        return attrs.evolve(request, status=ApprovalStatus.APPROVED, decided_at=tx.now, decided_by=self.by)


@attrs.frozen
class Rejecting:
    """The closure that rejects a request: its entry fails, its job is cancelled (B14)."""

    approval_id: str
    by: str
    reason: str
    level: str
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> ApprovalRequest:
        request = _open_request(tx, self.approval_id, self.level)
        pair = load(tx, request.job_id)
        _decide(tx, request, ApprovalStatus.REJECTED, self.by, self.reason)
        text = f"Rejected: {self.reason}" if self.reason else "Rejected"
        data = {"approval_id": request.approval_id, "by": self.by, "reason": self.reason}
        after = advance(
            tx,
            pair,
            Trigger.REJECT,
            job={"error_message": text},
            entry={"error_message": text},
            data=data,
            cycle=self.cycle,
        )
        assert after is not None, f"an open approval on job {pair.job.job_id} in {pair.entry.status}"
        return attrs.evolve(
            request,
            status=ApprovalStatus.REJECTED,
            decided_at=tx.now,
            decided_by=self.by,
            decision_reason=self.reason,
        )


@attrs.frozen
class Withdrawing:
    """The closure that takes a request back: nobody is asked any more, so its job is cancelled.

    Whose job it is may; anybody else decides by it, which takes the level that the request needs.
    """

    approval_id: str
    by: str | None
    level: str
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> ApprovalRequest:
        request = _open_request(tx, self.approval_id, None)
        if load(tx, request.job_id).job.request.user_id != self.by:
            _check_level(request, self.level)
        Cancelling(request.job_id, self.by, "admin", self.cycle)(tx)
        return attrs.evolve(request, status=ApprovalStatus.CANCELLED, decided_at=tx.now, decided_by=self.by)


@attrs.frozen
class Expired:
    """One request that ran out of time, for the log."""

    job: Job
    request: ApprovalRequest


@attrs.frozen
class Expiring:
    """The closure that ends one request past its deadline; None where somebody decided it first (B16)."""

    approval_id: str
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> Expired | None:
        request = approvals.get(tx.connection, self.approval_id)
        if request is None or not is_expired(request, tx.now):
            return None
        if not approvals.decide(tx.connection, request.approval_id, ApprovalStatus.EXPIRED, decided_at=tx.now):
            return None
        after = advance(
            tx,
            load(tx, request.job_id),
            Trigger.EXPIRE,
            job={"error_message": expired_job_message(request.timeout_seconds)},
            entry={"error_message": expired_entry_message()},
            data={
                "approval_id": request.approval_id,
                "message": "Approval request expired and job was auto-rejected",
            },
            cycle=self.cycle,
        )
        assert after is not None, f"an open approval on job {request.job_id} that does not wait for it"
        return Expired(after.job, request)


@attrs.frozen
class Cancelling:
    """The closure that ends a waiting job, or asks for the end of one that was claimed (B14).

    An open approval request of the job is closed with it. Where ``by``, of ``level``, could not have decided it, nobody
    has: who may cancel a job does not decide for an admin.
    """

    job_id: str
    by: str | None
    level: str = "admin"
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> Job:
        pair = load(tx, self.job_id)
        if pair.job.is_terminal:
            raise Refused(f"job {self.job_id} has already ended ({pair.job.status.value}); there is nothing to cancel")
        text = f"Cancelled by {self.by}" if self.by else "Cancelled"
        if pair.entry.status in WAITING_ENTRIES:
            asked = approvals.of_jobs(tx.connection, [self.job_id]).get(self.job_id)
            if asked is not None and asked.status is ApprovalStatus.PENDING:
                self._close(tx, asked, pair)
            changes = {"error_message": text}
            after = advance(tx, pair, Trigger.CANCEL_WAITING, job=changes, entry=changes, cycle=self.cycle)
            assert after is not None
            return after.job
        return self._ask(tx, pair)

    def _close(self, tx: Transaction, asked: ApprovalRequest, pair: Pair) -> None:
        if self.by == pair.job.request.user_id or may_approve(self.level, asked.required_level):
            _decide(tx, asked, ApprovalStatus.CANCELLED, self.by)
        else:
            _decide(tx, asked, ApprovalStatus.CANCELLED, None, f"its job was cancelled by {self.by}")

    def _ask(self, tx: Transaction, pair: Pair) -> Job:
        if pair.job.cancel_requested_at is not None:
            return pair.job
        after = change(tx, pair, job={"cancel_requested_at": tx.now, "cancel_requested_by": self.by})
        emit(tx, after.job, "job_cancel_requested", cycle=self.cycle, status=after.job.status.value, by=self.by)
        return after.job


@attrs.frozen
class Prioritising:
    """The closure that overrides a waiting job's priority, or takes the override away (B9)."""

    job_id: str
    override: int | None
    by: str | None
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> Pair:
        try:
            check_override(self.override)
        except ValueError as error:
            raise Refused(str(error), RefusalKind.INVALID, field="priority_override") from error
        pair = load(tx, self.job_id)
        if pair.entry.status not in WAITING_ENTRIES:
            raise Refused(
                f"job {self.job_id} no longer waits ({pair.entry.status.value}); its priority decides nothing"
            )
        after = change(tx, pair, entry={"priority_override": self.override})
        emit(
            tx,
            after.job,
            "job_priority_changed",
            cycle=self.cycle,
            status=after.job.status.value,
            priority_override=self.override,
            by=self.by,
        )
        return after


def _open_request(tx: Transaction, approval_id: str, level: str | None) -> ApprovalRequest:
    """The request, if it can be decided now by somebody of ``level`` (None: whoever)."""
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


def _check_level(request: ApprovalRequest, level: str) -> None:
    if not may_approve(level, request.required_level):
        message = f"approval request {request.approval_id} needs level {request.required_level}, not {level}"
        raise Refused(message, RefusalKind.FORBIDDEN)


def _decide(
    tx: Transaction, request: ApprovalRequest, status: ApprovalStatus, by: str | None, reason: str | None = None
) -> None:
    decision: dict[str, Any] = {"decided_at": tx.now, "decided_by": by, "decision_reason": reason}
    if not approvals.decide(tx.connection, request.approval_id, status, **decision):
        raise Refused(f"approval request {request.approval_id} was decided by somebody else at the same moment")
