"""Rows of approval requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from actors.jobs.records import ApprovalRequest, ApprovalStatus
from actors.store import dialect
from actors.store.dialect import constant
from actors.store.paging import bounded, stored_size
from actors.store.prepared import Prepared
from actors.store.rows import read_all, read_one
from actors.store.schema import approvals, jobs
from actors.store.types import or_none

_PENDING = approvals.c.status == constant(ApprovalStatus.PENDING)
_FIELDS = tuple(column.name for column in approvals.columns if column.name != "status")

_NEW = Prepared(insert(approvals))
_BY_ID = Prepared(select(approvals).where(approvals.c.approval_id == bindparam("this")))
_OF_JOBS = Prepared(
    select(approvals)
    .where(approvals.c.job_id.in_(bindparam("these", expanding=True)))
    .order_by(approvals.c.requested_at)
)


def add(connection: Connection, new: Sequence[ApprovalRequest]) -> None:
    """Insert open requests."""
    rows = [{"status": one.status.value, **{name: getattr(one, name) for name in _FIELDS}} for one in new]
    _NEW.run_many(connection, rows)


def get(connection: Connection, approval_id: str) -> ApprovalRequest | None:
    """The request of this id."""
    return read_one(ApprovalRequest, _BY_ID.one_dict(connection, this=approval_id))


def of_jobs(connection: Connection, job_ids: Iterable[str]) -> dict[str, ApprovalRequest]:
    """The newest request of each of these jobs."""
    return {one.job_id: one for one in read_all(ApprovalRequest, _OF_JOBS.dicts(connection, these=job_ids))}


def decide(connection: Connection, approval_id: str, status: ApprovalStatus, **decision: Any) -> bool:
    """The compare-and-set by which one decision wins (B16): whether this one did."""
    statement = update(approvals).where(
        approvals.c.approval_id == approval_id, approvals.c.status == ApprovalStatus.PENDING.value
    )
    return connection.execute(statement.values(status=status.value, **decision)).rowcount == 1


def prolong(connection: Connection, approval_id: str, until: datetime) -> None:
    """Let an open request expire later."""
    connection.execute(
        update(approvals).where(_PENDING, approvals.c.approval_id == approval_id).values(expires_at=until)
    )


_DUE = Prepared(
    select(approvals).where(_PENDING, approvals.c.expires_at <= bindparam("now")).order_by(approvals.c.expires_at)
)
_NEXT = Prepared(select(approvals.c.expires_at).where(_PENDING).order_by(approvals.c.expires_at).limit(1))


def due(connection: Connection, now: datetime) -> list[ApprovalRequest]:
    """All open requests whose deadline has come, the oldest deadline first."""
    return read_all(ApprovalRequest, _DUE.dicts(connection, now=now))


def next_deadline(connection: Connection) -> datetime | None:
    """The earliest deadline of an open request."""
    found = _NEXT.one(connection)
    return None if found is None else or_none(found[0])


SIZE = stored_size(approvals.c.reason, approvals.c.decision_reason)
"""How many bytes the texts of a request have."""


def page(
    connection: Connection,
    statuses: Iterable[ApprovalStatus],
    limit: int,
    *,
    user_id: str | None = None,
    before: str | None = None,
) -> tuple[list[ApprovalRequest], bool]:
    """Requests of these statuses, the newest first, and whether there are more.

    ``user_id``: only those of this user's jobs; ``before``: only those older than this one.
    """
    query = select(approvals.c.approval_id, SIZE).order_by(approvals.c.approval_id.desc())
    if values := [status.value for status in statuses]:
        query = query.where(approvals.c.status.in_(values))
    if user_id is not None:
        query = query.join(jobs, jobs.c.job_id == approvals.c.job_id).where(jobs.c.user_id == user_id)
    if before is not None:
        query = query.where(approvals.c.approval_id < before)
    found, more = bounded(connection, query, limit)
    ids = [row.approval_id for row in found if isinstance(row.approval_id, str)]
    rows = connection.execute(
        select(approvals).where(approvals.c.approval_id.in_(ids)).order_by(approvals.c.approval_id.desc())
    )
    return read_all(ApprovalRequest, rows), more


def matching(connection: Connection, part: str, limit: int = 3) -> list[str]:
    """Ids that begin or end with ``part``."""
    return dialect.matching(connection, approvals.c.approval_id, part, limit=limit)
