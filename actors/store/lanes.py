"""Rows of lanes, which summarise the entries that could run now. The scheduler reads them instead of the queue.

A lane has all ready entries that are alike in everything that decides (:data:`~actors.store.schema.LANE_KEY`). It
counts them, and its head is the oldest one. A lane without entries has no row. Only ``queue`` calls :func:`enter` and
:func:`leave`.

Each change gives a row a new ``tag``, drawn at random, so that a tag identifies one content for ever, in any database
and whether or not its transaction was rolled back. So a look reads one number for each lane, and whole rows only of
lanes that changed since the last look. If you change a lane by hand, set its tag to NULL.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import starmap
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
    type_coerce,
    update,
)

from actors.jobs.records import Resources
from actors.jobs.scheduling import Head, Lane
from actors.store.prepared import Prepared
from actors.store.schema import LANE_KEY, lanes, queue_entries
from actors.store.types import UTCDateTime, amount, stored_instant

LaneKey = tuple[Any, ...]

_NO_OVERRIDE = -1

_ALL = select(*(type_coerce(one, BigInteger) if isinstance(one.type, UTCDateTime) else one for one in lanes.columns))
_LANES = Prepared(_ALL)
_TAGS = Prepared(select(lanes.c.tag))
_CHANGED = Prepared(_ALL.where(lanes.c.tag.is_(None) | lanes.c.tag.in_(bindparam("tags", expanding=True))))
_AT_ONCE = 500  # tags of one statement; beyond them the whole table is read
_LANES_KEPT = 10_000
"""Lanes remembered at the most, some 5 MB of them: ten times what a pass is meant for."""

_remembered: dict[int, Lane] = {}


def read(connection: Connection) -> list[Lane]:
    """All lanes."""
    tags = [tag for (tag,) in _TAGS.all(connection)]
    found = [_remembered.get(tag) for tag in tags]
    known = [lane for lane in found if lane is not None]
    if len(known) == len(tags):
        return known
    new = [tag for tag, lane in zip(tags, found, strict=True) if lane is None and tag is not None]
    if len(new) > _AT_ONCE:
        return list(starmap(_lane, _LANES.all(connection)))
    return known + list(starmap(_lane, _CHANGED.all(connection, tags=new)))


def forget() -> None:
    """Remember no lane."""
    _remembered.clear()


def _lane(
    lane_id: int, user_id: str, org_id: str, team_id: str, provider: str, cpus: int, gpus: int, memory: int,
    base_priority: int, override: int, count: int, job_id: str, queued_at: int, queued_seq: int,
    blocked_since: int | None, tag: int | None, head_max_runtime: float | None,
) -> Lane:  # fmt: skip
    """The lane that a row of plain values is, remembered by its tag."""
    lane = Lane(
        lane_id, user_id, org_id or None, team_id or None, provider, needs_of(cpus, gpus, memory),
        amount(base_priority), None if override == _NO_OVERRIDE else amount(override), count,
        Head(job_id, stored_instant(queued_at), queued_seq, head_max_runtime),
        None if blocked_since is None else stored_instant(blocked_since),
    )  # fmt: skip
    if tag is not None:
        if len(_remembered) >= _LANES_KEPT:
            forget()
        _remembered[tag] = lane
    return lane


def needs_of(cpus: Any, gpus: Any, memory: Any) -> Resources:
    """The resources in these columns of a row."""
    return Resources(amount(cpus), amount(gpus), amount(memory) or None)


def _new_tag() -> int:
    return secrets.randbits(63)


_ENTRY = queue_entries.c
_PLACE = tuple_(_ENTRY.queued_at, _ENTRY.queued_seq)
_ENTRIES = (
    select(_ENTRY.job_id, _ENTRY.queued_at, _ENTRY.queued_seq, _ENTRY.max_runtime)
    .where(_ENTRY.lane_id == bindparam("lane"))
    .order_by(_ENTRY.queued_at, _ENTRY.queued_seq)
    .limit(1)
)
_FIRST = Prepared(_ENTRIES)
_AFTER = Prepared(_ENTRIES.where(tuple_(bindparam("at", type_=UTCDateTime), bindparam("seq")) < _PLACE))


def after(connection: Connection, lane_id: int, head: Head) -> Head | None:
    """The entry that follows ``head`` in its lane."""
    row = _AFTER.one(connection, lane=lane_id, at=head.queued_at, seq=head.queued_seq)
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
    """Limit the queue time of waiting entries to ``now``; their order stays.

    The clock was ahead when they were queued: without this, later entries would come before them until it is that late
    again.
    """
    entry = queue_entries.c
    late = text("queue_entries.status IN ('pending','blocked')") & (entry.queued_at > now)
    touched = connection.execute(select(entry.lane_id).where(late, entry.lane_id.is_not(None)).distinct()).scalars()
    lane_ids = list(touched)
    connection.execute(update(queue_entries).where(late).values(queued_at=now))
    for lane_id in lane_ids:
        _change(connection, lane_id, **_first(connection, lane_id))


def key_of(row: Mapping[str, Any]) -> LaneKey:
    """The lane in which an entry of these columns stands while it is ready."""
    override = row["priority_override"]
    return (*(row[name] for name in LANE_KEY[:-1]), _NO_OVERRIDE if override is None else override)


_HEAD = ("head_job_id", "head_queued_at", "head_queued_seq", "head_max_runtime")
_OF_HEAD = ("job_id", "queued_at", "queued_seq", "max_runtime")
_BY_KEY = Prepared(
    select(lanes.c.lane_id, lanes.c.count, lanes.c.head_queued_at, lanes.c.head_queued_seq).where(
        *(lanes.c[name] == bindparam(name) for name in LANE_KEY)
    )
)
_NEW = Prepared(insert(lanes).returning(lanes.c.lane_id), (*LANE_KEY, *_HEAD, "count", "tag"))


def enter(
    connection: Connection, key: LaneKey, first: Mapping[str, Any], count: int, short_since: datetime | None = None
) -> int:
    """Count ``count`` entries, ``first`` the oldest of them, into the lane of ``key``; its id.

    ``short_since``: since when ``first`` has been waiting for resources, if it is the head from now on.
    """
    named = dict(zip(LANE_KEY, key, strict=True))
    head = {column: first[name] for column, name in zip(_HEAD, _OF_HEAD, strict=True)}
    lane = _BY_KEY.one(connection, **named)
    if lane is None:
        made = _NEW.one(connection, **named, **head, count=count, tag=_new_tag())
        assert made is not None
        if short_since is not None:
            set_shortage(connection, made[0], short_since)
        return int(made[0])
    lane_id, there, *since = lane
    is_older = [first["queued_at"], first["queued_seq"]] < since
    _change(connection, lane_id, count=there + count, **({**head, "blocked_since": short_since} if is_older else {}))
    return int(lane_id)


_COUNTED = Prepared(
    select(lanes.c.count, lanes.c.head_job_id, lanes.c.blocked_since).where(lanes.c.lane_id == bindparam("lane"))
)
_EMPTY = Prepared(delete(lanes).where(lanes.c.lane_id == bindparam("lane")))


def leave(connection: Connection, lane_id: int, job_ids: Collection[str]) -> datetime | None:
    """Count these entries, whose rows name the lane no more, out of it; its oldest one becomes its head.

    Returns since when the head has been waiting for resources, if the head leaves.
    """
    found = _COUNTED.one(connection, lane=lane_id)
    assert found is not None, f"there is no lane {lane_id}"
    count, head = found[0] - len(job_ids), found[1]
    short_since: datetime | None = found[2] if head in job_ids else None
    if count <= 0:
        _EMPTY.run(connection, lane=lane_id)
    elif head in job_ids:
        _change(connection, lane_id, count=count, blocked_since=None, **_first(connection, lane_id))
    else:
        _change(connection, lane_id, count=count)
    return short_since


def _first(connection: Connection, lane_id: int) -> dict[str, Any]:
    """The columns of a lane that name its oldest entry."""
    row = _FIRST.one(connection, lane=lane_id)
    assert row is not None, f"lane {lane_id} counts entries and holds none"
    return dict(zip(_HEAD, row, strict=True))


_ONE = Prepared(update(lanes).where(lanes.c.lane_id == bindparam("lane")))


def _change(connection: Connection, lane_id: int, **changes: Any) -> None:
    _ONE.writing((*changes, "tag")).run(connection, lane=lane_id, tag=_new_tag(), **changes)
