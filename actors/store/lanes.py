"""Rows of lanes, which summarise the entries that could run now: what the scheduler reads instead of the queue.

A lane is all ready entries alike in what decides (:data:`~actors.store.schema.LANE_KEY`). It counts them, and its head
is the oldest. One without entries has no row. Who calls :func:`enter` and :func:`leave` is ``queue`` alone.

Each change gives a row a new ``tag``, drawn at random, so that a tag names one content for ever, in whatever database
and whether or not its transaction was rolled back: a look reads one number a lane and whole rows only of those that
changed since the last one. Who changes a lane by hand sets its tag to NULL.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import starmap
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select, type_coerce, update

from actors.jobs.records import Resources
from actors.jobs.scheduling import Head, Lane
from actors.store.dialect import plain_rows
from actors.store.schema import LANE_KEY, lanes, queue_entries
from actors.store.types import UTCDateTime, instant

LaneKey = tuple[Any, ...]

_NO_OVERRIDE = -1

_LANES = select(*(type_coerce(one, BigInteger) if isinstance(one.type, UTCDateTime) else one for one in lanes.columns))
_TAGS = select(lanes.c.tag)
_CHANGED = _LANES.where(lanes.c.tag.is_(None) | lanes.c.tag.in_(bindparam("tags", expanding=True)))
_AT_ONCE = 500  # tags of one statement; beyond them the whole table is read
_LANES_KEPT = 10_000
"""Lanes remembered at the most, some 5 MB of them: ten times what a pass is meant for."""

_remembered: dict[int, Lane] = {}


def read(connection: Connection) -> list[Lane]:
    """All lanes."""
    tags = [tag for (tag,) in plain_rows(connection, _TAGS)]
    found = [_remembered.get(tag) for tag in tags]
    known = [lane for lane in found if lane is not None]
    if len(known) == len(tags):
        return known
    new = [tag for tag, lane in zip(tags, found, strict=True) if lane is None and tag is not None]
    if len(new) > _AT_ONCE:
        return list(starmap(_lane, plain_rows(connection, _LANES)))
    return known + list(starmap(_lane, plain_rows(connection, _CHANGED, {"tags": new})))


def forget() -> None:
    """Remember no lane."""
    _remembered.clear()


def _lane(
    lane_id: int, user_id: str, org_id: str, team_id: str, provider: str, cpus: int, gpus: int, memory: int,
    base_priority: int, override: int, number: int, job_id: str, queued_at: int, queued_seq: int,
    blocked_since: int | None, tag: int | None,
) -> Lane:  # fmt: skip
    """The lane that a row of plain values is, remembered by its tag."""
    lane = Lane(
        lane_id, user_id, org_id or None, team_id or None, provider, Resources(cpus, gpus, memory or None),
        base_priority, None if override == _NO_OVERRIDE else override, number,
        Head(job_id, instant(queued_at), queued_seq), None if blocked_since is None else instant(blocked_since),
    )  # fmt: skip
    if tag is not None:
        if len(_remembered) >= _LANES_KEPT:
            forget()
        _remembered[tag] = lane
    return lane


def _new_tag() -> int:
    return secrets.randbits(63)


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


def note_shortage(connection: Connection, all_lanes: Iterable[Lane], short: frozenset[int], now: datetime) -> None:
    """Remember since when a lane's head has been waiting for resources; forget it where it no longer does."""
    for lane in all_lanes:
        if (lane.lane_id in short) != (lane.blocked_since is not None):
            since = now if lane.lane_id in short else None
            _change(connection, lane.lane_id, blocked_since=since)


def set_shortage(connection: Connection, lane_id: int, since: datetime) -> None:
    """Let a lane's head have waited for resources since then."""
    _change(connection, lane_id, blocked_since=since)


def set_back(connection: Connection, now: datetime) -> None:
    """Let no entry that waits have been queued later than ``now``; the order in which they were stays.

    The clock was ahead when they came, and without this whoever comes later would stand before them until it is there
    again.
    """
    entry = queue_entries.c
    late = entry.status.in_(("pending", "blocked")) & (entry.queued_at > now)
    touched = connection.execute(select(entry.lane_id).where(late, entry.lane_id.is_not(None)).distinct()).scalars()
    lane_ids = list(touched)
    connection.execute(update(queue_entries).where(late).values(queued_at=now))
    oldest = select(entry.job_id, entry.queued_at, entry.queued_seq).order_by(entry.queued_at, entry.queued_seq)
    for lane_id in lane_ids:
        head = connection.execute(oldest.where(entry.lane_id == lane_id).limit(1)).one()
        named = {"head_job_id": head.job_id, "head_queued_at": head.queued_at, "head_queued_seq": head.queued_seq}
        _change(connection, lane_id, **named)


def key_of(row: Mapping[str, Any]) -> LaneKey:
    """The lane in which an entry of these columns stands while it is ready."""
    override = row["priority_override"]
    return (*(row[name] for name in LANE_KEY[:-1]), _NO_OVERRIDE if override is None else override)


_BY_KEY = select(lanes).where(*(lanes.c[name] == bindparam(name) for name in LANE_KEY))
_BY_ID = select(lanes).where(lanes.c.lane_id == bindparam("wanted"))


def enter(connection: Connection, key: LaneKey, first: Mapping[str, Any], number: int) -> int:
    """Count ``number`` entries, ``first`` the oldest of them, into the lane of ``key``; its id."""
    named = dict(zip(LANE_KEY, key, strict=True))
    head = {
        "head_job_id": first["job_id"],
        "head_queued_at": first["queued_at"],
        "head_queued_seq": first["queued_seq"],
    }
    lane = connection.execute(_BY_KEY, named).one_or_none()
    if lane is None:
        made = connection.execute(insert(lanes), {**named, **head, "number": number, "tag": _new_tag()})
        assert made.inserted_primary_key is not None
        return int(made.inserted_primary_key[0])
    older = (first["queued_at"], first["queued_seq"]) < (lane.head_queued_at, lane.head_queued_seq)
    _change(connection, lane.lane_id, number=lane.number + number, **({**head, "blocked_since": None} if older else {}))
    return int(lane.lane_id)


def leave(connection: Connection, lane_id: int, job_id: str) -> None:
    """Count one entry out of its lane; the next one becomes its head where the head left."""
    lane = connection.execute(_BY_ID, {"wanted": lane_id}).one()
    if lane.number <= 1:
        connection.execute(delete(lanes).where(lanes.c.lane_id == lane_id))
        return
    changes: dict[str, Any] = {"number": lane.number - 1}
    if lane.head_job_id == job_id:
        following = after(connection, lane_id, Head(job_id, lane.head_queued_at, lane.head_queued_seq))
        assert following is not None, f"lane {lane_id} counts {lane.number} entries and holds one"
        changes |= {
            "head_job_id": following.job_id,
            "head_queued_at": following.queued_at,
            "head_queued_seq": following.queued_seq,
            "blocked_since": None,
        }
    _change(connection, lane_id, **changes)


_ONE = update(lanes).where(lanes.c.lane_id == bindparam("wanted"))


def _change(connection: Connection, lane_id: int, **changes: Any) -> None:
    connection.execute(_ONE, {"wanted": lane_id, "tag": _new_tag(), **changes})
