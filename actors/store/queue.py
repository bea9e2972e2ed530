"""Rows of queue entries.

Invariant: an entry has a ``lane_id`` exactly while it is pending and nothing holds it back: no back-off
(``not_before``), no later start (``start_after``), no job that it waits for (``unfinished_parents``), no open look-up
after a restore (``restored``). Its lane (``lanes``) then counts it, and the lane's head is its oldest entry.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import attrs
from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, exists, func, insert, select, text, update

from actors.jobs.records import QueueEntry, QueueStatus
from actors.jobs.scheduling import Running
from actors.store import derived, lanes
from actors.store.dialect import constant
from actors.store.prepared import Prepared
from actors.store.rows import read_all, read_one
from actors.store.schema import ended_parents, queue_entries
from actors.store.schema import lanes as lane_rows
from actors.store.types import or_none

_FIELDS = tuple(field.name for field in attrs.fields(QueueEntry) if field.name != "status")


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
        "max_runtime": request.max_runtime,
    }


_NEW = Prepared(insert(queue_entries))


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new entries (rows of :func:`to_row`); the ready ones enter their lanes."""
    for row in rows:
        row["lane_id"] = None
    enter_lanes(connection, [row for row in rows if is_ready(row)])
    _NEW.run_many(connection, rows)


def enter_lanes(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Let these ready entries into their lanes; each row gets its ``lane_id``."""
    by_lane: dict[lanes.LaneKey, list[dict[str, Any]]] = {}
    for row in rows:
        by_lane.setdefault(lanes.key_of(row), []).append(row)
    for key, members in by_lane.items():
        head = min(members, key=lambda row: (row["queued_at"], row["queued_seq"]))
        lane_id = lanes.enter(connection, key, head, len(members))
        for row in members:
            row["lane_id"] = lane_id


_RECORD = select(*(queue_entries.c[field.name] for field in attrs.fields(QueueEntry)))
_BY_ID = Prepared(_RECORD.where(queue_entries.c.job_id == bindparam("this")))
_BY_IDS = Prepared(_RECORD.where(queue_entries.c.job_id.in_(bindparam("these", expanding=True))))
_WHOLE = Prepared(select(queue_entries).where(queue_entries.c.job_id == bindparam("this")))
_ONE = Prepared(update(queue_entries).where(queue_entries.c.job_id == bindparam("this")))


def get(connection: Connection, job_id: str) -> QueueEntry | None:
    """The entry of this job."""
    return read_one(QueueEntry, _BY_ID.one_dict(connection, this=job_id))


def get_many(connection: Connection, job_ids: Iterable[str]) -> dict[str, QueueEntry]:
    """The entries of these jobs, by job id."""
    return {entry.job_id: entry for entry in read_all(QueueEntry, _BY_IDS.dicts(connection, these=job_ids))}


def change(connection: Connection, job_id: str, **changes: Any) -> None:
    """Change an entry; lanes follow by themselves. In another lane it has waited for resources as long as before."""
    row = _WHOLE.one_dict(connection, this=job_id)
    assert row is not None, f"there is no entry of job {job_id}"
    if "status" in changes:
        changes["status"] = changes["status"].value
    after = {**row, **changes}
    lane_id, short_since = row["lane_id"], None
    if lane_id is not None and (not is_ready(after) or lanes.key_of(after) != lanes.key_of(row)):
        changes["lane_id"] = None
        _ONE.writing(changes).run(connection, this=job_id, **changes)
        short_since = lanes.leave(connection, lane_id, [job_id])
        lane_id, changes = None, {}
    if is_ready(after) and lane_id is None:
        changes["lane_id"] = lanes.enter(connection, lanes.key_of(after), after, 1, short_since)
    if changes:
        _ONE.writing(changes).run(connection, this=job_id, **changes)


def is_ready(row: Mapping[str, Any]) -> bool:
    """Whether an entry of these columns stands in a lane."""
    is_not_due = any(row[name] is not None for name in ("not_before", "start_after", "restored"))
    return row["status"] == QueueStatus.PENDING.value and not is_not_due and not row["unfinished_parents"]


def change_known(connection: Connection, before: QueueEntry, **changes: Any) -> QueueEntry:
    """Change an entry that this transaction has read; the entry as it is now.

    One that is ready neither before nor after stands in no lane, and its row need not be read again.
    """
    after = attrs.evolve(before, **changes)
    if before.is_ready or after.is_ready:
        change(connection, before.job_id, **changes)
    else:
        values = {**changes, "status": after.status.value}
        _ONE.writing(values).run(connection, this=before.job_id, **values)
    return after


def start(connection: Connection, lane_of: Mapping[str, int], now: datetime) -> dict[str, Any]:
    """Let these ready entries, each in the lane given, leave it and run; what was changed in each of them."""
    changes = {"status": QueueStatus.RUNNING, "started_at": now, "not_before": None, "error_message": None}
    values = {**changes, "status": QueueStatus.RUNNING.value, "lane_id": None}
    members: defaultdict[int, list[str]] = defaultdict(list)
    for job_id, lane_id in lane_of.items():
        members[lane_id].append(job_id)
    _ONE.writing(values).run_many(connection, [{"this": job_id, **values} for job_id in lane_of])
    for lane_id, job_ids in members.items():
        lanes.leave(connection, lane_id, job_ids)
    return changes


# Word for word the conditions of their indexes, which are not used for a condition on a parameter.
WAITING = text("queue_entries.status IN ('pending','blocked')")
"""Entries that wait."""
_DEFERRED = queue_entries.c.not_before.is_not(None) & (queue_entries.c.status == constant(QueueStatus.PENDING))
"""Entries whose back-off lasts; found by their index alone. SQLite would plan anew at every execution for a parameter
that is compared with the column of a partial index's condition: ten times what the query itself takes."""
LATER = queue_entries.c.start_after.is_not(None)
"""Entries that are to start later; one that has ended is none of them."""
_OUTLOOK = Prepared(
    select(
        exists(select(lane_rows.c.lane_id)).label("ready"),
        select(func.min(queue_entries.c.not_before)).where(_DEFERRED).scalar_subquery().label("release"),
        select(func.min(queue_entries.c.start_after)).where(LATER).scalar_subquery().label("start"),
        exists(select(ended_parents.c.parent_id)).label("ended"),
    )
)


@attrs.frozen
class Outlook:
    """Whether any entry is ready; when the next back-off ends, and when the next later start is due.

    ``ended``: whether jobs have ended whose dependants are still to be counted down.
    """

    ready: bool
    release: datetime | None
    start: datetime | None
    ended: bool


_RUNS = text("queue_entries.status = 'running'")
HOLDS_SLOT = text("queue_entries.status = 'running' AND ifnull(queue_entries.restored, 'look_up') = 'look_up'")
"""Entries that count in the limits: not those of which a restore could not find out whether they run."""
_TO_LOOK_UP = text("queue_entries.restored = 'look_up' AND queue_entries.restored IS NOT NULL")
_WAITS_FOR_TIME = (
    LATER & (queue_entries.c.status == constant(QueueStatus.PENDING)) & (queue_entries.c.unfinished_parents == 0)
)
_SIGNS: list[ColumnElement[Any]] = [
    exists(select(lane_rows.c.lane_id)),
    *(exists(select(queue_entries.c.job_id).where(one)) for one in (_RUNS, _DEFERRED, _WAITS_FOR_TIME, _TO_LOOK_UP)),
    exists(select(ended_parents.c.parent_id)),
]
_GOES_ON = Prepared(select(*_SIGNS))


def goes_on(connection: Connection) -> bool:
    """Whether anything runs or will: else all that is left waits for an approval, or for jobs that wait for one."""
    found = _GOES_ON.one(connection)
    assert found is not None
    return any(found)


_DUE = Prepared(select(queue_entries.c.job_id).where(_DEFERRED, queue_entries.c.not_before <= bindparam("now")))


def outlook(connection: Connection) -> Outlook:
    """What an idle scheduler asks every few seconds."""
    found = _OUTLOOK.one(connection)
    assert found is not None
    ready, release, start, ended = found
    return Outlook(bool(ready), or_none(release), or_none(start), bool(ended))


def release_due(connection: Connection, now: datetime) -> int:
    """Let entries whose back-off has ended into their lanes; how many there were."""
    due = _DUE.all(connection, now=now)
    for (job_id,) in due:
        change(connection, job_id, not_before=None)
    return len(due)


NEEDS = tuple(queue_entries.c[name] for name in ("cpus", "gpus", "memory"))
OWNER = (*(queue_entries.c[name] for name in ("user_id", "org_id", "team_id", "provider")), *NEEDS)
_RUNNING = Prepared(select(*OWNER).where(HOLDS_SLOT))


def running(connection: Connection) -> list[Running]:
    """What runs, counted by everything that is limited."""
    return [running_of(*row) for row in Counter(_RUNNING.all(connection)).items()]


@lru_cache(1024)
def running_of(owner: tuple[Any, ...], number: int) -> Running:
    """``number`` jobs that run, alike in these values of :data:`OWNER`."""
    user_id, org_id, team_id, provider, cpus, gpus, memory = owner
    return Running(user_id, org_id or None, team_id or None, provider, lanes.needs_of(cpus, gpus, memory), number)


_HELD_BACK = Prepared(select(queue_entries.c.job_id).where(_DEFERRED, queue_entries.c.provider == bindparam("name")))


def release_provider(connection: Connection, provider: str) -> None:
    """End the back-off of all entries of a provider that somebody has opened again."""
    for (job_id,) in _HELD_BACK.all(connection, name=provider):
        change(connection, job_id, not_before=None)


_OLDEST = Prepared(
    select(queue_entries.c.queued_at)
    .where(WAITING, queue_entries.c.unfinished_parents == 0, queue_entries.c.start_after.is_(None))
    .order_by(queue_entries.c.queued_at)
    .limit(1)
)


def oldest_waiting(connection: Connection) -> datetime | None:
    """Since when the entry waits that waited longest for its turn or an approval, not for other jobs or its time."""
    found = _OLDEST.one(connection)
    return None if found is None else found[0]


_USER: BindParameter[str] = bindparam("user_id")
_READY_OF_USER = select(func.coalesce(func.sum(lane_rows.c.count), 0)).where(lane_rows.c.user_id == _USER)
_OF_USER = select(func.count()).select_from(queue_entries).where(queue_entries.c.user_id == _USER)
# SQLite looks by the first condition on a column: the second one only lets it use the index.
_BLOCKED_OF_USER = _OF_USER.where(queue_entries.c.status == constant(QueueStatus.BLOCKED), WAITING)
_HELD = text("queue_entries.status = 'pending' AND queue_entries.lane_id IS NULL")
_NUMBER_WAITING = Prepared(
    select(
        _READY_OF_USER.scalar_subquery().label("ready"),
        _BLOCKED_OF_USER.scalar_subquery().label("blocked"),
        _OF_USER.where(_HELD).scalar_subquery().label("held"),
    )
)
"""Ready entries are counted by their lanes: a user may have ten thousand."""


def number_waiting(connection: Connection, user_id: str) -> int:
    """How many entries of this user wait (pending or blocked)."""
    ready, blocked, held = _NUMBER_WAITING.all(connection, user_id=user_id)[0]
    return int(ready + blocked + held)


_NUMBER_BLOCKED = Prepared(_BLOCKED_OF_USER)


def number_blocked(connection: Connection, user_id: str) -> int:
    """How many entries of this user wait for an approval."""
    return int(_NUMBER_BLOCKED.all(connection, user_id=user_id)[0][0])


def counts(connection: Connection) -> dict[QueueStatus, int]:
    """How many entries there are of each stored status."""
    return derived.counts_of(connection, queue_entries.name, QueueStatus)


def lanes_of(connection: Connection, job_ids: Iterable[str]) -> dict[str, int]:
    """The lanes in which these jobs' entries stand; one that stands in none is left out."""
    columns = queue_entries.c
    query = select(columns.job_id, columns.lane_id).where(
        columns.job_id.in_(list(job_ids)), columns.lane_id.is_not(None)
    )
    return {row.job_id: row.lane_id for row in connection.execute(query)}
