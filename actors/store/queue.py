"""Rows of queue entries and of the lanes that summarise those which could run now.

The invariant that everything here keeps: an entry has a ``lane_id`` exactly while it is pending and not held back by
``not_before``; its lane then counts it, and the lane's head is its oldest entry. A lane without entries has no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import starmap
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from actors.jobs.levels import effective_priority
from actors.jobs.records import QueueEntry, QueueStatus, Resources
from actors.jobs.scheduling import Head, Lane, Running
from actors.store.dialect import plain_rows
from actors.store.schema import LANE_KEY, lanes, queue_entries
from actors.store.types import UTCDateTime, instant

_NO_OVERRIDE = -1

LaneKey = tuple[Any, ...]

_FIELDS = (
    "job_id", "base_priority", "priority_override", "queued_at", "queued_seq", "attempt", "max_attempts",
    "not_before", "started_at", "completed_at", "error_message",
)  # fmt: skip


def from_row(row: Row[Any]) -> QueueEntry:
    """A row of all columns as an entry."""
    return QueueEntry(status=QueueStatus(row.status), **{name: getattr(row, name) for name in _FIELDS})


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
    by_lane: dict[LaneKey, list[dict[str, Any]]] = {}
    for row in rows:
        if row["status"] == QueueStatus.PENDING.value:
            by_lane.setdefault(_lane_key(row), []).append(row)
        else:
            row["lane_id"] = None
    for key, members in by_lane.items():
        head = min(members, key=lambda row: (row["queued_at"], row["queued_seq"]))
        lane_id = _enter(connection, key, head, len(members))
        for row in members:
            row["lane_id"] = lane_id
    connection.execute(insert(queue_entries), list(rows))


def get(connection: Connection, job_id: str) -> QueueEntry | None:
    """The entry of this job."""
    row = connection.execute(select(queue_entries).where(queue_entries.c.job_id == job_id)).one_or_none()
    return None if row is None else from_row(row)


def get_many(connection: Connection, job_ids: Iterable[str]) -> dict[str, QueueEntry]:
    """The entries of these jobs, by job id."""
    rows = connection.execute(select(queue_entries).where(queue_entries.c.job_id.in_(list(job_ids))))
    return {row.job_id: from_row(row) for row in rows}


def change(connection: Connection, job_id: str, **changes: Any) -> None:
    """Change an entry; lanes follow by themselves."""
    row = connection.execute(select(queue_entries).where(queue_entries.c.job_id == job_id)).one()
    if "status" in changes:
        changes["status"] = changes["status"].value
    after = {**row._asdict(), **changes}
    ready = after["status"] == QueueStatus.PENDING.value and after["not_before"] is None
    lane_id = row.lane_id
    if lane_id is not None and (not ready or _lane_key(after) != _lane_key(row._asdict())):
        changes["lane_id"] = None
        connection.execute(update(queue_entries).where(queue_entries.c.job_id == job_id).values(**changes))
        _leave(connection, lane_id, job_id)
        lane_id = None
    if ready and lane_id is None:
        changes["lane_id"] = _enter(connection, _lane_key(after), after, 1)
    connection.execute(update(queue_entries).where(queue_entries.c.job_id == job_id).values(**changes))


_DEFERRED = queue_entries.c.not_before.is_not(None) & (queue_entries.c.status == "pending")  # reads its index alone
_OUTLOOK = select(
    exists(select(lanes.c.lane_id)),
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


_LANES = select(*(type_coerce(one, BigInteger) if isinstance(one.type, UTCDateTime) else one for one in lanes.columns))
_LANES_KEPT = 10_000
"""Lanes remembered at the most, some 5 MB of them: ten times what a pass is meant for."""


def read_lanes(connection: Connection) -> list[Lane]:
    """All lanes."""
    return list(starmap(_lane, plain_rows(connection, _LANES)))


@lru_cache(maxsize=_LANES_KEPT)
def _lane(
    lane_id: int, user_id: str, org_id: str, team_id: str, provider: str, cpus: int, gpus: int, memory: int,
    base_priority: int, override: int, number: int, job_id: str, queued_at: int, queued_seq: int,
    blocked_since: int | None,
) -> Lane:  # fmt: skip
    """The lane that a row of plain values is. Most rows are as they were at the last look, and so are their lanes."""
    return Lane(
        lane_id, user_id, org_id or None, team_id or None, provider, Resources(cpus, gpus, memory or None),
        base_priority, None if override == _NO_OVERRIDE else override, number,
        Head(job_id, instant(queued_at), queued_seq), None if blocked_since is None else instant(blocked_since),
    )  # fmt: skip


def after(connection: Connection, lane_id: int, head: Head) -> Head | None:
    """The entry that follows ``head`` in its lane."""
    entry = queue_entries.c
    query = (
        select(entry.job_id, entry.queued_at, entry.queued_seq)
        .where(
            entry.lane_id == lane_id,
            (entry.queued_at > head.queued_at)
            | ((entry.queued_at == head.queued_at) & (entry.queued_seq > head.queued_seq)),
        )
        .order_by(entry.queued_at, entry.queued_seq)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Head(*row)


def count_before(connection: Connection, lane_id: int, queued_at: datetime, queued_seq: int) -> int:
    """How many entries of a lane were queued before a moment."""
    entry = queue_entries.c
    earlier = (entry.queued_at < queued_at) | ((entry.queued_at == queued_at) & (entry.queued_seq < queued_seq))
    query = select(func.count()).where(entry.lane_id == lane_id, earlier)
    return int(connection.execute(query).scalar_one())


def release_provider(connection: Connection, provider: str) -> None:
    """End the back-off of all entries of a provider that somebody has opened again."""
    held_back = queue_entries.c.not_before.is_not(None) & (queue_entries.c.provider == provider)
    rows = connection.execute(select(queue_entries.c.job_id).where(held_back, queue_entries.c.status == "pending"))
    for job_id in list(rows.scalars()):
        change(connection, job_id, not_before=None)


def note_shortage(connection: Connection, all_lanes: Iterable[Lane], short: frozenset[int], now: datetime) -> None:
    """Remember since when a lane's head has been waiting for resources; forget it where it no longer does."""
    for lane in all_lanes:
        if (lane.lane_id in short) != (lane.blocked_since is not None):
            since = now if lane.lane_id in short else None
            connection.execute(update(lanes).where(lanes.c.lane_id == lane.lane_id).values(blocked_since=since))


def waiting(connection: Connection, limit: int) -> list[QueueEntry]:
    """Entries that wait (pending or blocked), oldest first."""
    query = (
        select(queue_entries)
        .where(queue_entries.c.status.in_(("pending", "blocked")))
        .order_by(queue_entries.c.queued_at, queue_entries.c.queued_seq)
        .limit(limit)
    )
    return [from_row(row) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[QueueStatus, int]:
    """How many entries there are of each stored status."""
    query = select(queue_entries.c.status, func.count()).group_by(queue_entries.c.status)
    return {QueueStatus(status): number for status, number in connection.execute(query)}


def lane_of(connection: Connection, job_id: str) -> int | None:
    """The lane in which this job's entry stands."""
    query = select(queue_entries.c.lane_id).where(queue_entries.c.job_id == job_id)
    return connection.execute(query).scalar_one_or_none()


def _lane_key(row: dict[str, Any]) -> LaneKey:
    override = row["priority_override"]
    return (
        *(row[name] for name in LANE_KEY[:-1]),
        _NO_OVERRIDE if override is None else override,
    )


def _enter(connection: Connection, key: LaneKey, first: dict[str, Any], number: int) -> int:
    """Count ``number`` entries, ``first`` the oldest of them, into the lane of ``key``; its id."""
    named = dict(zip(LANE_KEY, key, strict=True))
    head = {
        "head_job_id": first["job_id"],
        "head_queued_at": first["queued_at"],
        "head_queued_seq": first["queued_seq"],
    }
    lane = connection.execute(
        select(lanes).where(*(lanes.c[name] == value for name, value in named.items()))
    ).one_or_none()
    if lane is None:
        made = connection.execute(insert(lanes).values(**named, **head, number=number))
        assert made.inserted_primary_key is not None
        return int(made.inserted_primary_key[0])
    older = (first["queued_at"], first["queued_seq"]) < (lane.head_queued_at, lane.head_queued_seq)
    values: dict[str, Any] = {"number": lane.number + number, **({**head, "blocked_since": None} if older else {})}
    connection.execute(update(lanes).where(lanes.c.lane_id == lane.lane_id).values(**values))
    return int(lane.lane_id)


def _leave(connection: Connection, lane_id: int, job_id: str) -> None:
    """Count one entry out of its lane; the next one becomes its head where the head left."""
    lane = connection.execute(select(lanes).where(lanes.c.lane_id == lane_id)).one()
    this = lanes.c.lane_id == lane_id
    if lane.number <= 1:
        connection.execute(delete(lanes).where(this))
        return
    values: dict[str, Any] = {"number": lane.number - 1}
    if lane.head_job_id == job_id:
        following = after(connection, lane_id, Head(job_id, lane.head_queued_at, lane.head_queued_seq))
        assert following is not None, f"lane {lane_id} counts {lane.number} entries and holds one"
        values |= {
            "head_job_id": following.job_id,
            "head_queued_at": following.queued_at,
            "head_queued_seq": following.queued_seq,
            "blocked_since": None,
        }
    connection.execute(update(lanes).where(this).values(**values))


def run_order(entries: Iterable[QueueEntry], now: datetime) -> list[QueueEntry]:
    """Entries in the order in which they would run, blocked ones last."""

    def key(entry: QueueEntry) -> tuple[bool, int, datetime, int]:
        priority = effective_priority(entry.base_priority, entry.priority_override, entry.queued_at, now)
        return (entry.status is QueueStatus.BLOCKED, -priority, entry.queued_at, entry.queued_seq)

    return sorted(entries, key=key)
