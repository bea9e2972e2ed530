"""Rows that are old enough to go.

Jobs are walked by their ids, which sort by time: a job that ended before a moment was made before it, so no index on
the end is needed, and an hourly look at nothing costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, delete, func, select, tuple_

from actors.jobs.ids import earliest
from actors.jobs.records import TERMINAL_JOBS, SubmissionState
from actors.store.schema import approvals, events, idempotency_keys, jobs, queue_entries, submissions

_TERMINAL = tuple(sorted(status.value for status in TERMINAL_JOBS))
_OPEN = select(submissions.c.job_id).where(submissions.c.state != SubmissionState.CLOSED.value)


@attrs.frozen
class Ended:
    """A job that may go: who computed it, when it ended, and the hand-overs (key, handle) that its provider knows."""

    job_id: str
    provider: str
    completed_at: datetime
    handed: tuple[tuple[str, Any], ...]


def _old(before: datetime) -> ColumnElement[bool]:
    """Ended before then, and nothing about it remains to be done at its provider."""
    return (
        (jobs.c.job_id < earliest(before))
        & jobs.c.status.in_(_TERMINAL)
        & (jobs.c.completed_at < before)
        & jobs.c.job_id.not_in(_OPEN)
    )


def ended(connection: Connection, before: datetime, after: str, limit: int) -> list[Ended]:
    """Jobs that may go, in the order of their ids, from the one that follows id ``after`` on."""
    query = (
        select(jobs.c.job_id, jobs.c.provider, jobs.c.completed_at)
        .where(_old(before), jobs.c.job_id > after)
        .order_by(jobs.c.job_id)
        .limit(limit)
    )
    found = connection.execute(query).all()
    handed: dict[str, list[tuple[str, Any]]] = {row.job_id: [] for row in found}
    query = select(submissions.c.job_id, submissions.c.key, submissions.c.handle).order_by(submissions.c.intent_at)
    for row in connection.execute(query.where(submissions.c.job_id.in_(list(handed)))):
        if row.handle is not None:
            handed[row.job_id].append((row.key, row.handle))
    return [Ended(row.job_id, row.provider, row.completed_at, tuple(handed[row.job_id])) for row in found]


def count(connection: Connection, before: datetime) -> tuple[int, int, datetime | None]:
    """How many jobs may go, how many events of theirs, and when the first of them had ended."""
    number, oldest = connection.execute(select(func.count(), func.min(jobs.c.completed_at)).where(_old(before))).one()
    theirs = select(jobs.c.job_id).where(_old(before))
    told = connection.execute(select(func.count()).where(events.c.job_id.in_(theirs))).scalar_one()
    return number, told, oldest


def share(connection: Connection, before: datetime) -> tuple[int, int]:
    """How many jobs may go, and how many there are."""
    old = connection.execute(select(func.count()).where(_old(before))).scalar_one()
    return old, connection.execute(select(func.count()).select_from(jobs)).scalar_one()


def has_old_key(connection: Connection, used_before: datetime) -> bool:
    """Whether an idempotency key was used before then."""
    query = select(idempotency_keys.c.key).where(idempotency_keys.c.created_at <= used_before).limit(1)
    return connection.execute(query).one_or_none() is not None


def remove(connection: Connection, before: datetime, job_ids: Iterable[str]) -> tuple[int, int]:
    """Remove those of ``job_ids`` that may go with all that belongs to them: how many jobs, how many events."""
    old = select(jobs.c.job_id).where(_old(before), jobs.c.job_id.in_(list(job_ids)))
    ids = list(connection.execute(old).scalars())
    told = connection.execute(delete(events).where(events.c.job_id.in_(ids))).rowcount
    # Their entries have ended, so they stand in no lane. Their idempotency keys ran out long ago.
    for table in (approvals, submissions, queue_entries, jobs):
        connection.execute(delete(table).where(table.c.job_id.in_(ids)))
    return len(ids), told


def remove_keys(connection: Connection, used_before: datetime, limit: int) -> int:
    """Remove idempotency keys that no longer bind, the oldest first: how many."""
    both = tuple_(idempotency_keys.c.user_id, idempotency_keys.c.key)
    oldest = (
        select(idempotency_keys.c.user_id, idempotency_keys.c.key)
        .where(idempotency_keys.c.created_at <= used_before)
        .order_by(idempotency_keys.c.created_at)
        .limit(limit)
    )
    return connection.execute(delete(idempotency_keys).where(both.in_(oldest))).rowcount
