"""Rows that are old enough to be removed.

Jobs are read in the order of their ids, which sort by time: a job that ended before a moment was created before it. So
no index of the ends is needed, and an hourly look that finds nothing costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, tuple_

from actors.jobs.ids import earliest
from actors.jobs.statuses import TERMINAL_JOBS, QueueStatus
from actors.store import derived, still_counted
from actors.store.dialect import constant, unindexed
from actors.store.idempotency import LIMITED
from actors.store.prepared import Prepared
from actors.store.schema import (
    approvals,
    dependencies,
    ended_parents,
    events,
    idempotency_keys,
    jobs,
    notifications,
    queue_entries,
    series,
    submissions,
)
from actors.store.submissions import OPEN
from actors.store.types import UTCDateTime

_UNENDED = [constant(status) for status in (QueueStatus.PENDING, QueueStatus.BLOCKED, QueueStatus.RUNNING)]
_DEPENDANTS = (
    select(queue_entries.c.job_id, queue_entries.c.status)
    .join_from(dependencies, queue_entries, queue_entries.c.job_id == dependencies.c.job_id)
    .where(unindexed(queue_entries.c.status).in_(_UNENDED))
)
"""Jobs that wait for another one, or that run and may read what it left."""
_FREE = (
    unindexed(jobs.c.status).in_([constant(status) for status in sorted(TERMINAL_JOBS)])
    & jobs.c.job_id.not_in(select(submissions.c.job_id).where(OPEN))
    & ~_DEPENDANTS.where(dependencies.c.parent_id == jobs.c.job_id).exists()
    & jobs.c.job_id.not_in(select(ended_parents.c.parent_id))
)
"""Ended; nothing remains to be done about it at its provider, and nobody who has not ended waited for it.

By the status SQLite would read every ended job, even where ids are listed or only the first thousand are asked for.
"""
_OLD = (
    (jobs.c.job_id < bindparam("made_before"))
    & _FREE
    & (jobs.c.completed_at < bindparam("ended_before", type_=UTCDateTime))
)


@attrs.frozen
class Ended:
    """A job that may go: its provider, when it ended, and the submissions (key, handle) that its provider knows."""

    job_id: str
    correlation_id: str
    provider: str
    completed_at: datetime
    handed: tuple[tuple[str, Any], ...]


def _moments(before: datetime) -> dict[str, Any]:
    return {"made_before": earliest(before), "ended_before": before}


_OLDEST = Prepared(
    select(jobs.c.job_id, jobs.c.correlation_id, jobs.c.provider, jobs.c.completed_at)
    .where(_OLD, jobs.c.job_id > bindparam("after"))
    .order_by(jobs.c.job_id)
    .limit(bindparam("most"))
)
_HANDED = Prepared(
    select(submissions.c.job_id, submissions.c.key, submissions.c.handle)
    .where(submissions.c.job_id.in_(bindparam("these", expanding=True)), submissions.c.handle.is_not(None))
    .order_by(submissions.c.intent_at)
)
_HOW_MANY: list[ColumnElement[Any]] = [func.count().label("old"), func.min(jobs.c.completed_at).label("oldest")]
_COUNT = Prepared(select(*_HOW_MANY).where(_OLD))
_COUNT_EVENTS = Prepared(
    select(func.count().label("events")).where(events.c.job_id.in_(select(jobs.c.job_id).where(_OLD)))
)


def ended(connection: Connection, before: datetime, after: str, limit: int) -> list[Ended]:
    """Jobs that may go, in the order of their ids, from the one that follows id ``after`` on."""
    found = _OLDEST.all(connection, after=after, most=limit, **_moments(before))
    known = handed(connection, [job_id for job_id, *_ in found])
    return [Ended(job_id, trail, provider, at, known[job_id]) for job_id, trail, provider, at in found]


def count(connection: Connection, before: datetime) -> tuple[int, int, datetime | None]:
    """How many jobs may go, how many events of theirs, and when the first of them had ended."""
    [(number, oldest)] = _COUNT.all(connection, **_moments(before))
    [(of_theirs,)] = _COUNT_EVENTS.all(connection, **_moments(before))
    return number, of_theirs, oldest


def share(connection: Connection, before: datetime) -> tuple[int, int]:
    """How many jobs may go, and how many there are."""
    [(old, _)] = _COUNT.all(connection, **_moments(before))
    return old, sum(number for _, number in derived.counted(connection, jobs.name))


def has_old_key(connection: Connection, used_before: datetime) -> bool:
    """Whether an idempotency key was used before then."""
    query = select(idempotency_keys.c.key).where(LIMITED, idempotency_keys.c.created_at <= used_before).limit(1)
    return connection.execute(query).one_or_none() is not None


_THESE: ColumnElement[Any] = bindparam("these", expanding=True)
_STILL_OLD = Prepared(select(jobs.c.job_id).where(_OLD, jobs.c.job_id.in_(_THESE)))
_STILL_FREE = Prepared(select(jobs.c.job_id).where(_FREE, jobs.c.job_id.in_(_THESE)))
_REMOVE_EVENTS = Prepared(delete(events).where(events.c.job_id.in_(_THESE)))
_REMOVE_KEYS = Prepared(delete(idempotency_keys).where(idempotency_keys.c.job_id.in_(_THESE)))
# Their entries have ended, so they stand in no lane. What others know of them as their parents stays.
_REMOVE = [
    Prepared(delete(one).where(one.c.job_id.in_(_THESE)))
    for one in (approvals, notifications, submissions, dependencies, series, queue_entries, jobs)
]
_WAITS_FOR = Prepared(_DEPENDANTS.where(dependencies.c.parent_id == bindparam("job_id")).limit(1))
_OPEN_KEY = Prepared(select(submissions.c.key).where(OPEN, submissions.c.job_id == bindparam("job_id")).limit(1))
_PASSED_ON = Prepared(select(ended_parents.c.parent_id).where(ended_parents.c.parent_id == bindparam("job_id")))


@attrs.frozen
class Removed:
    """How many jobs went, with how many events and idempotency keys."""

    jobs: int
    events: int
    keys: int = 0


def remove(connection: Connection, before: datetime, job_ids: Iterable[str], now: datetime) -> Removed:
    """Remove those of ``job_ids`` that may go and ended ``before``, with all that belongs to them."""
    return _remove(connection, [one for (one,) in _STILL_OLD.all(connection, these=job_ids, **_moments(before))], now)


def remove_free(connection: Connection, job_ids: Iterable[str], now: datetime) -> Removed:
    """Remove those of ``job_ids`` that may go, however young they are."""
    return _remove(connection, [one for (one,) in _STILL_FREE.all(connection, these=job_ids)], now)


def _remove(connection: Connection, ids: list[str], now: datetime) -> Removed:
    still_counted.note_removal(connection, ids, now)
    removed = _REMOVE_EVENTS.run(connection, these=ids)
    keys = _REMOVE_KEYS.run(connection, these=ids)
    for statement in _REMOVE:
        statement.run(connection, these=ids)
    return Removed(len(ids), removed, keys)


def dependant(connection: Connection, job_id: str) -> tuple[str, str] | None:
    """A job that waits for this one, or that waited for it and runs: its id, and its entry's status."""
    found = _WAITS_FOR.one(connection, job_id=job_id)
    return None if found is None else (found[0], found[1])


def unsettled(connection: Connection, job_id: str) -> str | None:
    """The key of a submission of this job about which something remains to be done."""
    found = _OPEN_KEY.one(connection, job_id=job_id)
    return None if found is None else found[0]


def is_passed_on(connection: Connection, job_id: str) -> bool:
    """Whether those that waited for this job have all learned of its end."""
    return _PASSED_ON.one(connection, job_id=job_id) is None


def handed(connection: Connection, job_ids: Iterable[str]) -> dict[str, tuple[tuple[str, Any], ...]]:
    """Of each of these jobs the submissions (key, handle) that its provider knows."""
    found: dict[str, list[tuple[str, Any]]] = {job_id: [] for job_id in job_ids}
    for job_id, key, handle in _HANDED.all(connection, these=found):
        found[job_id].append((key, handle))
    return {job_id: tuple(pairs) for job_id, pairs in found.items()}


def remove_notifications(connection: Connection, before: datetime, limit: int) -> int:
    """Remove notifications of no single job that ended and were written ``before``, the oldest first: how many."""
    columns = notifications.c
    oldest = (
        select(columns.notification_id)
        .where(columns.job_id.is_(None), columns.finished_at.is_not(None), columns.created_at < before)
        .order_by(columns.notification_id)
        .limit(limit)
    )
    return connection.execute(delete(notifications).where(columns.notification_id.in_(oldest))).rowcount


def remove_keys(connection: Connection, used_before: datetime, limit: int) -> int:
    """Remove idempotency keys that no longer bind, the oldest first: how many."""
    both = tuple_(idempotency_keys.c.user_id, idempotency_keys.c.key)
    oldest = (
        select(idempotency_keys.c.user_id, idempotency_keys.c.key)
        .where(LIMITED, idempotency_keys.c.created_at <= used_before)
        .order_by(idempotency_keys.c.created_at)
        .limit(limit)
    )
    return connection.execute(delete(idempotency_keys).where(both.in_(oldest))).rowcount
