"""Rows of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

import attrs
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, or_, select, update

from actors.jobs.codec import request_to_json
from actors.jobs.durations import seconds_between
from actors.jobs.ids import earliest
from actors.jobs.records import ACTIVE_JOBS, Job, JobStatus
from actors.jobs.views import JobFilters
from actors.store import approvals
from actors.store.dialect import begins_with, ends_with, holds, json_text
from actors.store.paging import bounded, stored_size
from actors.store.prepared import Prepared
from actors.store.rows import read_all, read_one
from actors.store.schema import approvals as approval_rows
from actors.store.schema import jobs, queue_entries
from actors.store.types import EncodedJSON

_PLAIN = {column.name: column for column in jobs.columns if column.name not in ("request", "user_id", "status")}


_NEW = Prepared(insert(jobs))


def to_row(job: Job, encoded: bytes | None = None) -> dict[str, Any]:
    """``job`` as column values; ``encoded``: its request as JSON, if it is at hand."""
    row = {name: getattr(job, name) for name in _PLAIN}
    request = request_to_json(job.request) if encoded is None else EncodedJSON(encoded.decode())
    row |= {"status": job.status.value, "user_id": job.request.user_id, "request": request}
    return row


def add(connection: Connection, new: Sequence[Job], encoded: Mapping[str, bytes | None] | None = None) -> None:
    """Insert new jobs; ``encoded``: by job id, the requests that are at hand as JSON."""
    encoded = encoded or {}
    _NEW.run_many(connection, [to_row(job, encoded.get(job.job_id)) for job in new])


_BY_ID = Prepared(select(jobs).where(jobs.c.job_id == bindparam("this")))
_BY_IDS = Prepared(select(jobs).where(jobs.c.job_id.in_(bindparam("these", expanding=True))))
_ONE = Prepared(update(jobs).where(jobs.c.job_id == bindparam("this"), jobs.c.version == bindparam("before")))


def get(connection: Connection, job_id: str) -> Job | None:
    """The job of this id."""
    return read_one(Job, _BY_ID.one_dict(connection, this=job_id))


def get_many(connection: Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    """The jobs of these ids, by id."""
    return {job.job_id: job for job in read_all(Job, _BY_IDS.dicts(connection, these=job_ids))}


def change(connection: Connection, job: Job, now: datetime, **changes: Any) -> Job:
    """Change columns of ``job``, which is returned as it is now.

    Raises ``LookupError`` if its row is no longer of the version that was read.
    """
    after = attrs.evolve(job, **changes, updated_at=now, version=job.version + 1)
    values = {**changes, "status": after.status.value, "updated_at": now, "version": after.version}
    if _ONE.writing(values).run(connection, this=job.job_id, before=job.version, **values) != 1:
        raise LookupError(f"job {job.job_id} changed since it was read")
    return after


_APPROVAL_SIZE = select(func.coalesce(func.sum(approvals.SIZE), 0)).where(approval_rows.c.job_id == jobs.c.job_id)
SIZE = stored_size(
    jobs.c.request, jobs.c.progress, jobs.c.result, jobs.c.error_message, jobs.c.uncertain_reason, jobs.c.output_url
) + _APPROVAL_SIZE.scalar_subquery()  # fmt: skip
"""How many bytes of text a job has, its approval requests included."""


def page(
    connection: Connection,
    *,
    before: str | None = None,
    limit: int = 100,
    **filters: Unpack[JobFilters],
) -> tuple[list[Job], bool]:
    """Jobs, newest first, and whether there are more; ``before``: only those older than this one."""
    query = select(jobs.c.job_id, SIZE).order_by(jobs.c.job_id.desc()).where(*_narrowed(filters))
    if before is not None:
        query = query.where(jobs.c.job_id < before)
    found, more = bounded(connection, query, limit)
    by_id = get_many(connection, [row.job_id for row in found])
    return [by_id[row.job_id] for row in found if row.job_id in by_id], more


def _narrowed(filters: JobFilters) -> Iterator[ColumnElement[bool]]:
    if statuses := [status.value for status in filters.get("statuses", ())]:
        yield jobs.c.status.in_(statuses)
    for column in (jobs.c.user_id, jobs.c.provider):
        if (value := filters.get(column.name)) is not None:
            yield column == value
    if (org_id := filters.get("org_id")) is not None:
        yield jobs.c.job_id.in_(select(queue_entries.c.job_id).where(queue_entries.c.org_id == org_id))
    if (since := filters.get("since")) is not None:
        yield jobs.c.job_id >= earliest(since)
    if (until := filters.get("until")) is not None:
        yield jobs.c.job_id < earliest(until)
    if text := filters.get("text"):
        # Never in the whole request: its variables would let people guess what they may not see.
        searched = (jobs.c.job_id, jobs.c.user_id, jobs.c.error_message, json_text(jobs.c.request, "config_name"))
        yield or_(*(holds(column, text, any_case=True) for column in searched))


def matching(connection: Connection, part: str, limit: int = 3) -> list[str]:
    """Ids that begin or end with ``part``: what a person types of a long id."""
    query = select(jobs.c.job_id).where(begins_with(jobs.c.job_id, part)).limit(limit)
    found = list(connection.execute(query).scalars())
    query = select(jobs.c.job_id).where(ends_with(jobs.c.job_id, part)).limit(limit)
    return list(dict.fromkeys(found + list(connection.execute(query).scalars())))


def counts(connection: Connection) -> dict[JobStatus, int]:
    """How many jobs there are of each status."""
    query = select(jobs.c.status, func.count()).group_by(jobs.c.status)
    return {JobStatus(status): number for status, number in connection.execute(query)}


def submitted_since(connection: Connection, user_id: str, since: datetime) -> int:
    """How many jobs this user submitted after ``since``."""
    query = select(func.count()).where(jobs.c.user_id == user_id, jobs.c.created_at > since)
    return connection.execute(query).scalar_one()


def has_any(connection: Connection, user_id: str) -> bool:
    """Whether this user ever submitted a job."""
    return connection.execute(select(jobs.c.job_id).where(jobs.c.user_id == user_id).limit(1)).first() is not None


def before(connection: Connection, job: Job, since: datetime) -> tuple[int, bool]:
    """Of the same user's jobs before ``job``: how many were submitted after ``since``, and whether there was any."""
    earlier = (jobs.c.user_id == job.request.user_id) & (jobs.c.job_id < job.job_id)
    query = select(func.count()).where(earlier, jobs.c.created_at > since)
    return connection.execute(query).scalar_one(), connection.execute(
        select(1).where(earlier).limit(1)
    ).first() is not None


ACTIVE = tuple(sorted(status.value for status in ACTIVE_JOBS))


def uncertain(connection: Connection) -> list[str]:
    """Ids of active jobs of which it is unknown whether they run."""
    query = select(jobs.c.job_id).where(jobs.c.status.in_(ACTIVE), jobs.c.uncertain_since.is_not(None))
    return list(connection.execute(query.order_by(jobs.c.job_id)).scalars())


def recent_durations(connection: Connection, limit: int = 20) -> list[float]:
    """How long the jobs that ended last had run, in seconds."""
    query = (
        select(jobs.c.started_at, jobs.c.completed_at)
        .where(jobs.c.status == JobStatus.COMPLETED.value, jobs.c.started_at.is_not(None))
        .order_by(jobs.c.job_id.desc())
        .limit(limit)
    )
    return [seconds_between(started, ended) for started, ended in connection.execute(query)]
