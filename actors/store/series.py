"""Rows of series: one for each series of an attempt, replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

import attrs
from sqlalchemy import Connection, bindparam, delete, func, literal_column, select, union_all

from actors.jobs.records import JobStatus
from actors.jobs.series import Point, SeriesData, Snapshot, Summary
from actors.store import derived
from actors.store.dialect import constant, insert_or_replace, json_part
from actors.store.prepared import Prepared
from actors.store.schema import jobs, series

_BESIDE = 100  # bytes of a row beside its points and its summary

_PUT = Prepared(insert_or_replace(series, ("job_id", "attempt", "name")))
_SIZES = Prepared(
    select(series.c.name, series.c.bytes).where(
        series.c.job_id == bindparam("this"), series.c.attempt == bindparam("attempt")
    )
)
_REMOVE = Prepared(
    delete(series).where(
        series.c.job_id == bindparam("this"),
        series.c.attempt == bindparam("attempt"),
        series.c.name == bindparam("gone"),
    )
)
_NAMES = Prepared(
    select(series.c.name)
    .where(series.c.job_id == bindparam("this"))
    .group_by(series.c.name)
    .order_by(func.min(series.c.attempt), series.c.name)
)
_OF_NAME = Prepared(
    select(series.c.points, series.c.summary)
    .where(series.c.job_id == bindparam("this"), series.c.name == bindparam("named"))
    .order_by(series.c.attempt)
)


def put(connection: Connection, job_id: str, attempt: int, snapshot: Snapshot, now: datetime, most_bytes: int) -> bool:
    """Write the series of an attempt. False: not all of them, for all series together would exceed ``most_bytes``.

    What has a row and does not grow is written all the same; a series that is not in the snapshot is removed.
    """
    rows = [_row(job_id, attempt, one, now) for one in snapshot.series]
    before: dict[str, int] = dict(_SIZES.all(connection, this=job_id, attempt=attempt))
    for gone in before.keys() - {row["name"] for row in rows}:
        _REMOVE.run(connection, this=job_id, attempt=attempt, gone=gone)
        del before[gone]
    growth = sum(row["bytes"] - before.get(row["name"], 0) for row in rows)
    fits = bool(growth <= 0 or derived.series_bytes(connection) + growth <= most_bytes)
    _PUT.run_many(connection, [row for row in rows if fits or row["bytes"] <= before.get(row["name"], 0)])
    return fits


def _row(job_id: str, attempt: int, one: SeriesData, now: datetime) -> dict[str, Any]:
    summary = attrs.asdict(one.summary, recurse=False)
    size = len(one.packed) + _BESIDE + len(one.name) + 120
    ends = {name: _finite(getattr(one.summary, name)) for name in ("last", "low", "high")}
    return {
        "job_id": job_id, "attempt": attempt, "name": one.name, **ends, "summary": summary, "bytes": size,
        "updated_at": now, "points": one.packed,
    }  # fmt: skip


def _finite(point: Point | None) -> float | None:
    return None if point is None or not isfinite(point[1]) else point[1]


def of_job(connection: Connection, job_id: str) -> Iterator[SeriesData]:
    """Yield the series of a job: one name after the other, and of each name those of earlier attempts first."""
    for (name,) in _NAMES.all(connection, this=job_id):
        for points, summary in _OF_NAME.all(connection, this=job_id, named=name):
            yield SeriesData(name, points, summary_of(summary))


def summary_of(stored: Any) -> Summary:
    """The summary in a row; an empty one where it cannot be read."""
    if not isinstance(stored, Mapping):
        return Summary()
    try:
        ends = {name: _point(stored.get(name)) for name in ("first", "last", "low", "high")}
        return Summary(**ends, non_finite=int(stored.get("non_finite", 0)))
    except (TypeError, ValueError):
        return Summary()


def _point(stored: Any) -> Point | None:
    if stored is None:
        return None
    x, y = stored
    return float(x), float("nan") if y is None else float(y)


Ends = tuple[float | None, float | None, float | None]
"""The last, the least and the greatest value of a series; None: there is none that is finite."""


@attrs.frozen
class GroupedJob:
    """A job of a group as a comparison needs it.

    ``parameters`` and ``best`` are JSON; ``ends``: by the name of a series its last, least and greatest value over all
    attempts.
    """

    job_id: str
    name: str | None
    status: str
    parameters: str | None
    best: str | None
    ends: dict[str, Ends] = attrs.field(factory=dict)


_THOSE = (
    select(jobs.c.job_id)
    .where(
        jobs.c.user_id == bindparam("user"),
        jobs.c.group_name == bindparam("group"),
        jobs.c.status.in_([constant(status) for status in JobStatus]),
        jobs.c.job_id > bindparam("after"),
    )
    .order_by(jobs.c.job_id)
    .limit(bindparam("most"))
)
_JOBS_AND_SERIES = Prepared(
    union_all(
        select(
            jobs.c.job_id, literal_column("0").label("attempt"), jobs.c.config_name, jobs.c.status,
            json_part(jobs.c.request, "parameters").label("parameters"),
            json_part(jobs.c.request, "best").label("best"),
        ).where(jobs.c.job_id.in_(select(_THOSE.subquery()))),
        select(
            series.c.job_id, series.c.attempt, series.c.name, series.c.last, series.c.low, series.c.high,
        ).where(series.c.job_id.in_(select(_THOSE.subquery()))),
    )
)  # fmt: skip


def of_group(connection: Connection, user_id: str, group: str, after: str, most: int) -> list[GroupedJob]:
    """The first ``most`` jobs of a group that follow job ``after``, with their summaries: one statement for all."""
    rows = _JOBS_AND_SERIES.all(connection, user=user_id, group=group, after=after, most=most)
    found = {
        job_id: GroupedJob(job_id, name, status, parameters, best)
        for job_id, attempt, name, status, parameters, best in rows
        if not attempt and isinstance(job_id, str)
    }
    for job_id, attempt, name, *ends in rows:
        if attempt and job_id in found and isinstance(name, str):  # else it is damaged
            of_job = found[job_id].ends
            of_job[name] = _over_both(of_job[name], ends) if name in of_job else (ends[0], ends[1], ends[2])
    return [found[job_id] for job_id in sorted(found)]


def _over_both(before: Ends, after: Sequence[float | None]) -> Ends:
    lows, highs = ([one for one in pair if one is not None] for pair in zip(before[1:], after[1:], strict=True))
    return after[0], min(lows, default=None), max(highs, default=None)
