"""Jobs in the order of one of their columns, page by page.

The index of that column is read from where the page before ended, and the rows are compared with the filters until a
page is full: no page sorts anything. If few rows match a filter, this takes long; it is a read for a person, which ends
at its deadline. Jobs without a value (no name, not started, not ended) come last, in both directions the newest first.

A place is the last job of a page. Its sort value is read from its row or, for columns that change such as the status,
from the place itself: so a page continues where the one before ended, whatever happened to that job since.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, select, tuple_, type_coerce

from actors.jobs.records import Job
from actors.jobs.refusal import invalid
from actors.jobs.views import JobFilters, JobOrder, JobSort
from actors.store.dialect import unindexed
from actors.store.jobs import SIZE, conditions, get, get_many, has_status, of_name, of_organisation
from actors.store.paging import bounded
from actors.store.schema import jobs
from actors.store.types import microseconds

_COLUMNS: dict[JobSort, tuple[str, ...]] = {
    JobSort.CREATED: ("job_id",),
    JobSort.NAME: ("config_name", "user_id", "job_id"),
    JobSort.USER: ("user_id", "status", "job_id"),
    JobSort.STATUS: ("status", "job_id"),
    JobSort.PROVIDER: ("provider", "status", "job_id"),
    JobSort.GROUP: ("group_name", "user_id", "status", "job_id"),
    JobSort.STARTED: ("started_at", "job_id"),
    JobSort.ENDED: ("completed_at", "job_id"),
}
"""The columns of an index each. Where the first may be NULL, jobs without a value come last."""
_MOMENTS = ("started_at", "completed_at")
_NO_MOMENT = -1


@attrs.frozen
class Place:
    """Where a page ended: its last job, and what is in order by of it and may change since."""

    job_id: str
    status: str
    moment: int
    """Microseconds; -1: it had not started, or not ended."""


def place_of(job: Job, sort: JobSort) -> Place:
    """The place of ``job``."""
    moment = job.started_at if sort is JobSort.STARTED else job.completed_at if sort is JobSort.ENDED else None
    return Place(job.job_id, job.status.value, _NO_MOMENT if moment is None else microseconds(moment))


def page(
    connection: Connection, order: JobOrder, after: Place | None, limit: int, filters: JobFilters
) -> tuple[list[Job], bool]:
    """Jobs in ``order`` behind ``after``, and whether there are more.

    Raises :class:`~actors.jobs.refusal.Refused` where the job of ``after`` was removed, if its row is needed.
    """
    column, start = _may_lack(order.sort), None if after is None else _values(connection, order.sort, after)
    found: list[Any] = []
    if start is None or start[0] is not None:
        found, more = bounded(connection, _with_value(order, start, filters), limit)
        start = None
        if more:
            return _in_order(connection, found), True
    if column is None:
        return _in_order(connection, found), False
    lacking = _without_value(column, None if start is None else str(start[-1]), filters)
    if limit > len(found):
        rest, more = bounded(connection, lacking, limit - len(found))
    else:
        rest, more = [], connection.execute(lacking.limit(1)).first() is not None
    return _in_order(connection, [*found, *rest]), more


def _in_order(connection: Connection, found: list[Any]) -> list[Job]:
    by_id = get_many(connection, [row.job_id for row in found])
    return [by_id[row.job_id] for row in found if row.job_id in by_id]


def _values(connection: Connection, sort: JobSort, after: Place) -> tuple[Any, ...]:
    """The values of the columns of ``sort`` at ``after``; the first is None where the job has no value there."""
    moment = None if after.moment == _NO_MOMENT else after.moment
    values = {"job_id": after.job_id, "status": after.status, **dict.fromkeys(_MOMENTS, moment)}
    if not values.keys() >= set(_COLUMNS[sort]):
        job = get(connection, after.job_id)
        if job is None:
            raise invalid("cursor", "goes on behind a job that was removed; begin without it")
        asked = job.request
        values |= {"config_name": asked.config_name, "group_name": asked.group, "user_id": asked.user_id}
        values["provider"] = job.provider
    return tuple(values[name] for name in _COLUMNS[sort])


def _may_lack(sort: JobSort) -> ColumnElement[Any] | None:
    """The first column of ``sort``, if a job may have no value there."""
    column = jobs.c[_COLUMNS[sort][0]]
    return column if column.nullable else None


def _compared(name: str) -> ColumnElement[Any]:
    return type_coerce(jobs.c[name], BigInteger) if name in _MOMENTS else jobs.c[name]


def _with_value(order: JobOrder, start: tuple[Any, ...] | None, filters: JobFilters) -> Select[Any]:
    columns = [_compared(name) for name in _COLUMNS[order.sort]]
    query = select(jobs.c.job_id, SIZE).where(*_fits(filters))
    if (column := _may_lack(order.sort)) is not None:
        query = query.where(column.is_not(None))
    if start is not None:
        here = tuple_(*columns)
        query = query.where(here < start if order.descending else here > start)
    return query.order_by(*(one.desc() if order.descending else one.asc() for one in columns))


def _without_value(column: ColumnElement[Any], before: str | None, filters: JobFilters) -> Select[Any]:
    query = select(jobs.c.job_id, SIZE).where(unindexed(column).is_(None), *_fits(filters))
    return (query if before is None else query.where(jobs.c.job_id < before)).order_by(jobs.c.job_id.desc())


def _fits(filters: JobFilters) -> Iterator[ColumnElement[bool]]:
    """What a job must fulfil; no index is looked up by it."""
    if statuses := tuple(filters.get("statuses", ())):
        yield has_status(statuses)
    yield from conditions(filters, None, *(unindexed(jobs.c[name]) for name in ("job_id", "user_id", "provider")))
    yield from of_name(filters)
    yield from of_organisation(filters.get("org_id"))
