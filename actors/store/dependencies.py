"""Rows of dependencies: which job waits for which, and the work list of those that ended.

A row is *open* until its parent has ended and the job that waits was counted down, or cancelled. The parent's name,
status and end are kept in it from then on, so that they can be shown when the parent itself is removed.

**Invariants.** An entry's ``unfinished_parents`` is the number of its open rows, as long as it waits and is not to be
looked up after a restore. An entry that others wait for has ``is_awaited``, so that the end of any other job costs
nothing here. When such a job ends, it is put into ``ended_parents`` in the same transaction; it leaves that list in the
transaction that closes the last of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, text, update

from actors.jobs.dependencies import BAD_ENDS, MOST_SHOWN, Parent, Relatives
from actors.jobs.records import Job, QueueEntry
from actors.jobs.statuses import JobStatus
from actors.store.dialect import insert_or_ignore
from actors.store.prepared import Prepared
from actors.store.rows import status_of
from actors.store.schema import dependencies, ended_parents, jobs, queue_entries

_ROW = dependencies.c
_OPEN = text("dependencies.parent_status IS NULL")
"""Word for word the condition of the index."""
_JOB: BindParameter[str] = bindparam("job")
_PARENT: BindParameter[str] = bindparam("parent")
_THESE: BindParameter[Any] = bindparam("these", expanding=True)

_COLUMNS = ("job_id", "parent_id", "parent_name", "parent_status", "parent_completed_at", "broke")
_NEW = Prepared(insert(dependencies), _COLUMNS)
_AWAITED = Prepared(
    update(queue_entries).where(queue_entries.c.job_id.in_(_THESE), queue_entries.c.is_awaited.is_(False)),
    ("is_awaited",),
)


def add(connection: Connection, waiting: Iterable[tuple[str, Sequence[Parent]]]) -> None:
    """Let each of these jobs wait for its parents; the rows of those that ended already are closed."""
    rows = [_row(job_id, parent) for job_id, parents in waiting for parent in parents]
    _NEW.run_many(connection, rows)
    for some in _in_parts(sorted({row["parent_id"] for row in rows})):
        _AWAITED.run(connection, these=some, is_awaited=True)


def _row(job_id: str, parent: Parent) -> dict[str, Any]:
    status, at = (parent.status.value, parent.completed_at) if parent.has_ended else (None, None)
    values = (job_id, parent.job_id, parent.name, status, at, parent.broke)
    return dict(zip(_COLUMNS, values, strict=True))


_PART = 4_096


def _in_parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _PART] for start in range(0, len(ids), _PART))


# The work list.

_ENDED = Prepared(insert(ended_parents))
_LISTED = Prepared(
    select(ended_parents.c.parent_id)
    .order_by(ended_parents.c.ended_at, ended_parents.c.parent_id)
    .limit(bindparam("most"))
)
_DONE = Prepared(delete(ended_parents).where(ended_parents.c.parent_id == _PARENT))
_DEPENDANTS = Prepared(
    select(_ROW.job_id).where(_ROW.parent_id == _PARENT, _OPEN).order_by(_ROW.job_id).limit(bindparam("most"))
)
_CLOSE = Prepared(
    update(dependencies).where(_ROW.job_id == _JOB, _ROW.parent_id == _PARENT),
    ("parent_status", "parent_completed_at", "broke"),
)


_ENDED_BADLY = Prepared(select(_ROW.parent_id).where(_ROW.job_id == _JOB, _ROW.parent_status.in_(_THESE)))
_ENDED_AGAIN = Prepared(insert_or_ignore(ended_parents), ("parent_id", "ended_at"))
_ENDED_PARENT = Prepared(select(jobs.c.config_name, jobs.c.status, jobs.c.completed_at).where(jobs.c.job_id == _PARENT))


def ended_parent(connection: Connection, parent_id: str) -> Parent:
    """A job of the work list. Nothing good is known of one that is no longer there."""
    row = _ENDED_PARENT.one(connection, parent=parent_id)
    if row is None:
        return Parent(parent_id, None, JobStatus.CANCELLED)
    name, status, completed_at = row
    return Parent(parent_id, name, status_of(status, JobStatus.CANCELLED), completed_at)


def note_end(connection: Connection, parent_id: str, now: datetime) -> None:
    """A job that others wait for has ended: put it on the work list."""
    _ENDED.run(connection, parent_id=parent_id, ended_at=now)


def reopen(connection: Connection, job_id: str, now: datetime) -> None:
    """Put ended parents back on the work list that ended badly while this job did not wait and was not cancelled."""
    broken = [parent_id for (parent_id,) in _ENDED_BADLY.all(connection, job=job_id, these=BAD_ENDS)]
    opened = {"parent_status": None, "parent_completed_at": None, "broke": False}
    _CLOSE.run_many(connection, [{"job": job_id, "parent": one, **opened} for one in broken])
    for parent_id in broken:
        _ENDED_AGAIN.run(connection, parent_id=parent_id, ended_at=now)


def work_list(connection: Connection, most: int) -> list[str]:
    """Ended jobs whose dependants are still to be counted down, the first that ended first."""
    return [parent_id for (parent_id,) in _LISTED.all(connection, most=most)]


def done(connection: Connection, parent_id: str) -> None:
    """No row of this ended job is open any more."""
    _DONE.run(connection, parent=parent_id)


def open_dependants(connection: Connection, parent_id: str, most: int) -> list[str]:
    """Jobs whose rows of this parent are open."""
    return [job_id for (job_id,) in _DEPENDANTS.all(connection, parent=parent_id, most=most)]


def close(connection: Connection, parent: Parent, job_ids: Iterable[str], broken: Iterable[str]) -> None:
    """Close the rows of ``parent``, which has ended, for these jobs; ``broken``: those that its end cancelled."""
    cancelled = frozenset(broken)
    end = {"parent": parent.job_id, "parent_status": parent.status.value, "parent_completed_at": parent.completed_at}
    _CLOSE.run_many(connection, [{"job": one, "broke": one in cancelled, **end} for one in job_ids])


# Looking.

_STATUS = func.coalesce(_ROW.parent_status, jobs.c.status)
_END = func.coalesce(_ROW.parent_completed_at, jobs.c.completed_at)
_PARENTS = (
    select(_ROW.parent_id, _ROW.parent_name, _STATUS.label("status"), _END.label("ended"), _ROW.broke)
    .join_from(dependencies, jobs, jobs.c.job_id == _ROW.parent_id, isouter=True)
    .where(_ROW.job_id == _JOB)
    .order_by(_ROW.parent_id)
)
_PARENTS_OF = Prepared(_PARENTS.limit(bindparam("most")))
_NUMBER_OF_PARENTS = Prepared(select(func.count().label("number")).where(_ROW.job_id == _JOB))
_DEPENDANTS_OF = Prepared(
    select(jobs.c.job_id, jobs.c.config_name, jobs.c.status, jobs.c.completed_at, _ROW.broke)
    .join_from(dependencies, jobs, jobs.c.job_id == _ROW.job_id)
    .where(_ROW.parent_id == _PARENT)
    .order_by(_ROW.job_id)
    .limit(bindparam("most"))
)
_BROKEN_BY = Prepared(
    select(_ROW.job_id)
    .where(_ROW.parent_id == _PARENT, _ROW.broke.is_(True))
    .order_by(_ROW.job_id)
    .limit(bindparam("most"))
)
_NUMBER_OF_DEPENDANTS = Prepared(select(func.count().label("number")).where(_ROW.parent_id == _PARENT))
_FIRST_OPEN = (
    select(_ROW.parent_id)
    .where(_ROW.job_id == queue_entries.c.job_id, _OPEN)
    .order_by(_ROW.parent_id)
    .limit(1)
    .scalar_subquery()
)
_first_open = select(queue_entries.c.job_id.label("waiting"), _FIRST_OPEN.label("parent_id")).where(
    queue_entries.c.job_id.in_(_THESE), queue_entries.c.unfinished_parents > 0
)
_BLOCKER = _first_open.subquery()
_WAITED_FOR = Prepared(
    select(_BLOCKER.c.waiting, jobs.c.job_id, jobs.c.config_name, jobs.c.status).join_from(
        _BLOCKER, jobs, jobs.c.job_id == _BLOCKER.c.parent_id
    )
)


def parents_of(connection: Connection, job_id: str, most: int) -> list[Parent]:
    """Jobs that this one waits or waited for, those included that were removed since; ``most`` of them."""
    return [_parent(*row) for row in _PARENTS_OF.all(connection, job=job_id, most=most)]


def dependants_of(connection: Connection, job_id: str, most: int) -> list[Parent]:
    """Jobs that wait or waited for this one, as far as they are still there; ``most`` of them."""
    return [_parent(*row) for row in _DEPENDANTS_OF.all(connection, parent=job_id, most=most)]


def broken_by(connection: Connection, job_id: str, most: int) -> list[str]:
    """Jobs that were cancelled because this one ended badly; ``most`` of them."""
    return [broken for (broken,) in _BROKEN_BY.all(connection, parent=job_id, most=most)]


def relatives(connection: Connection, job: Job, entry: QueueEntry) -> tuple[Relatives, Relatives]:
    """Whom a job waits for, and who waits for it; of most jobs no row need be read for that."""
    waits_for = dependants = Relatives()
    if job.request.after:
        [(number,)] = _NUMBER_OF_PARENTS.all(connection, job=job.job_id)
        waits_for = Relatives(parents_of(connection, job.job_id, MOST_SHOWN), number)
    if entry.is_awaited:
        [(number,)] = _NUMBER_OF_DEPENDANTS.all(connection, parent=job.job_id)
        dependants = Relatives(dependants_of(connection, job.job_id, MOST_SHOWN), number)
    return waits_for, dependants


def waited_for(connection: Connection, job_ids: Iterable[str]) -> dict[str, Parent]:
    """Of each of these jobs that waits for others, one that it waits for."""
    found = _WAITED_FOR.all(connection, these=job_ids)
    return {waiting: Parent(job_id, name, status_of(status)) for waiting, job_id, name, status in found}


def _parent(job_id: str, name: str | None, status: str, completed_at: datetime | None, broke: bool) -> Parent:
    return Parent(job_id, name, status_of(status), completed_at, bool(broke))
