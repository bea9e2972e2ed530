"""Rows of queue entries.

The invariant that everything here keeps: an entry has a ``lane_id`` exactly while it is pending and not held back by
``not_before``; its lane (``lanes``) then counts it, and the lane's head is its oldest entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    select,
    text,
    update,
)

from actors.jobs.records import QueueEntry, QueueStatus, Resources
from actors.jobs.scheduling import Running
from actors.store import lanes
from actors.store.dialect import plain_rows
from actors.store.rows import read_all, read_one
from actors.store.schema import lanes as lane_rows
from actors.store.schema import queue_entries

_FIELDS = (
    "job_id", "base_priority", "priority_override", "queued_at", "queued_seq", "attempt", "max_attempts",
    "not_before", "started_at", "completed_at", "error_message", "wait_seconds",
)  # fmt: skip


def to_row(entry: QueueEntry, owner: dict[str, Any]) -> dict[str, Any]:
    """``entry`` as column values; ``owner`` holds what the scheduler counts by (:func:`owner_of`)."""
    return {"status": entry.status.value, **{name: getattr(entry, name) for name in _FIELDS}, **owner}


def owner_of(request: Any) -> dict[str, Any]:
    """The columns of a request by which the scheduler counts."""
    return {
        "user_id": request.user_id,
        "org_id": request.org_id or "",
        "team_id": request.team_id or "",
        "provider": request.provider,
        "cpus": request.resources.cpus,
        "gpus": request.resources.gpus,
        "memory": request.resources.memory or 0,
    }


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new entries (rows of :func:`to_row`); the pending ones enter their lanes."""
    by_lane: dict[lanes.LaneKey, list[dict[str, Any]]] = {}
    for row in rows:
        if row["status"] == QueueStatus.PENDING.value:
            by_lane.setdefault(lanes.key_of(row), []).append(row)
        else:
            row["lane_id"] = None
    for key, members in by_lane.items():
        head = min(members, key=lambda row: (row["queued_at"], row["queued_seq"]))
        lane_id = lanes.enter(connection, key, head, len(members))
        for row in members:
            row["lane_id"] = lane_id
    connection.execute(insert(queue_entries), list(rows))


_BY_ID = select(queue_entries).where(queue_entries.c.job_id == bindparam("wanted"))
_ONE = update(queue_entries).where(queue_entries.c.job_id == bindparam("wanted"))


def get(connection: Connection, job_id: str) -> QueueEntry | None:
    """The entry of this job."""
    row = connection.execute(_BY_ID, {"wanted": job_id}).one_or_none()
    return read_one(QueueEntry, row)


def get_many(connection: Connection, job_ids: Iterable[str]) -> dict[str, QueueEntry]:
    """The entries of these jobs, by job id."""
    rows = connection.execute(select(queue_entries).where(queue_entries.c.job_id.in_(list(job_ids))))
    return {entry.job_id: entry for entry in read_all(QueueEntry, rows)}


def change(connection: Connection, job_id: str, **changes: Any) -> None:
    """Change an entry; lanes follow by themselves."""
    row = connection.execute(_BY_ID, {"wanted": job_id}).one()
    if "status" in changes:
        changes["status"] = changes["status"].value
    after = {**row._asdict(), **changes}
    ready = after["status"] == QueueStatus.PENDING.value and after["not_before"] is None
    lane_id = row.lane_id
    if lane_id is not None and (not ready or lanes.key_of(after) != lanes.key_of(row._asdict())):
        changes["lane_id"] = None
        connection.execute(_ONE, {"wanted": job_id, **changes})
        lanes.leave(connection, lane_id, job_id)
        lane_id, changes = None, {}
    if ready and lane_id is None:
        changes["lane_id"] = lanes.enter(connection, lanes.key_of(after), after, 1)
    if changes:
        connection.execute(_ONE, {"wanted": job_id, **changes})


WAITING = text("queue_entries.status IN ('pending','blocked')")
"""Entries that wait. Word for word the condition of their indexes: as a parameter it would not be known for it."""
_DEFERRED = queue_entries.c.not_before.is_not(None) & (queue_entries.c.status == "pending")  # reads its index alone
_OUTLOOK = select(
    exists(select(lane_rows.c.lane_id)),
    select(func.min(queue_entries.c.not_before)).where(_DEFERRED).scalar_subquery(),
)
_DUE = select(queue_entries.c.job_id).where(_DEFERRED, queue_entries.c.not_before <= bindparam("now"))


def outlook(connection: Connection) -> tuple[bool, datetime | None]:
    """Whether any entry is ready, and when the next back-off ends: what an idle scheduler asks every few seconds."""
    ready, release = connection.execute(_OUTLOOK).one()
    return bool(ready), release


def release_due(connection: Connection, now: datetime) -> int:
    """Let entries whose back-off has ended into their lanes; how many there were."""
    job_ids = list(connection.execute(_DUE, {"now": now}).scalars())
    for job_id in job_ids:
        change(connection, job_id, not_before=None)
    return len(job_ids)


_OWNER = tuple(queue_entries.c[name] for name in ("user_id", "org_id", "team_id", "provider", "cpus", "gpus", "memory"))
_RUNNING: Select[*tuple[Any, ...]] = (
    select(*_OWNER, func.count()).where(queue_entries.c.status == "running").group_by(*_OWNER)
)


def running(connection: Connection) -> list[Running]:
    """What runs, counted by everything that is limited."""
    return [
        Running(user_id, org_id or None, team_id or None, provider, Resources(cpus, gpus, memory or None), number)
        for user_id, org_id, team_id, provider, cpus, gpus, memory, number in connection.execute(_RUNNING)
    ]


def release_provider(connection: Connection, provider: str) -> None:
    """End the back-off of all entries of a provider that somebody has opened again."""
    held_back = queue_entries.c.not_before.is_not(None) & (queue_entries.c.provider == provider)
    rows = connection.execute(select(queue_entries.c.job_id).where(held_back, queue_entries.c.status == "pending"))
    for job_id in list(rows.scalars()):
        change(connection, job_id, not_before=None)


def oldest_waiting(connection: Connection) -> datetime | None:
    """Since when the entry waits (pending or blocked) that has waited longest."""
    oldest: datetime | None = connection.execute(
        select(func.min(queue_entries.c.queued_at)).where(WAITING)
    ).scalar_one()
    return oldest


_NUMBER_WAITING = (
    select(func.count()).select_from(queue_entries).where(WAITING, queue_entries.c.user_id == bindparam("user_id"))
)


def number_waiting(connection: Connection, user_id: str) -> int:
    """How many entries of this user wait (pending or blocked)."""
    return int(plain_rows(connection, _NUMBER_WAITING, {"user_id": user_id})[0][0])


def counts(connection: Connection) -> dict[QueueStatus, int]:
    """How many entries there are of each stored status."""
    query = select(queue_entries.c.status, func.count()).group_by(queue_entries.c.status)
    return {QueueStatus(status): number for status, number in connection.execute(query)}


def lanes_of(connection: Connection, job_ids: Iterable[str]) -> dict[str, int]:
    """The lanes in which these jobs' entries stand; one that stands in none is left out."""
    columns = queue_entries.c
    query = select(columns.job_id, columns.lane_id).where(
        columns.job_id.in_(list(job_ids)), columns.lane_id.is_not(None)
    )
    return {row.job_id: row.lane_id for row in connection.execute(query)}
