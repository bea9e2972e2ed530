"""Rows of approval requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from actors.jobs.records import ApprovalRequest, ApprovalStatus
from actors.store.schema import approvals

_FIELDS = tuple(column.name for column in approvals.columns if column.name != "status")


def from_row(row: Row[Any]) -> ApprovalRequest:
    """A row of all columns as a request."""
    return ApprovalRequest(status=ApprovalStatus(row.status), **{name: getattr(row, name) for name in _FIELDS})


def add(connection: Connection, new: Sequence[ApprovalRequest]) -> None:
    """Insert open requests."""
    rows = [{"status": one.status.value, **{name: getattr(one, name) for name in _FIELDS}} for one in new]
    connection.execute(insert(approvals), rows)


def get(connection: Connection, approval_id: str) -> ApprovalRequest | None:
    """The request of this id."""
    row = connection.execute(select(approvals).where(approvals.c.approval_id == approval_id)).one_or_none()
    return None if row is None else from_row(row)


def of_jobs(connection: Connection, job_ids: Iterable[str]) -> dict[str, ApprovalRequest]:
    """The newest request of each of these jobs."""
    query = select(approvals).where(approvals.c.job_id.in_(list(job_ids))).order_by(approvals.c.requested_at)
    return {row.job_id: from_row(row) for row in connection.execute(query)}


def decide(connection: Connection, approval_id: str, status: ApprovalStatus, **decision: Any) -> bool:
    """The compare-and-set by which one decision wins (B16): whether this one did."""
    statement = update(approvals).where(
        approvals.c.approval_id == approval_id, approvals.c.status == ApprovalStatus.PENDING.value
    )
    return connection.execute(statement.values(status=status.value, **decision)).rowcount == 1


def due(connection: Connection, now: datetime) -> list[ApprovalRequest]:
    """All open requests whose deadline has come, the oldest deadline first."""
    query = select(approvals).where(approvals.c.status == ApprovalStatus.PENDING.value, approvals.c.expires_at <= now)
    return [from_row(row) for row in connection.execute(query.order_by(approvals.c.expires_at))]


def next_deadline(connection: Connection) -> datetime | None:
    """The earliest deadline of an open request."""
    query = select(approvals.c.expires_at).where(approvals.c.status == ApprovalStatus.PENDING.value)
    return connection.execute(query.order_by(approvals.c.expires_at).limit(1)).scalar_one_or_none()


def page(connection: Connection, statuses: Iterable[ApprovalStatus], limit: int) -> list[ApprovalRequest]:
    """Requests of these statuses, the newest first."""
    query = select(approvals).order_by(approvals.c.approval_id.desc()).limit(limit)
    wanted = [status.value for status in statuses]
    if wanted:
        query = query.where(approvals.c.status.in_(wanted))
    return [from_row(row) for row in connection.execute(query)]


def matching(connection: Connection, part: str, limit: int = 3) -> list[str]:
    """Ids that begin or end with ``part``."""
    column = approvals.c.approval_id
    either = column.startswith(part, autoescape=True) | column.endswith(part, autoescape=True)
    return list(connection.execute(select(column).where(either).limit(limit)).scalars())
