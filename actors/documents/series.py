"""Series of jobs, and the jobs of a group side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypedDict

from actors.jobs.comparing import Compared, Curve
from actors.jobs.series import Point

Pair = list[float | None]
"""x and y; y is null in a gap, and if a value was not finite."""


class SeriesDocument(TypedDict):
    """One series. ``first`` to ``max`` are points, null if there is none.

    ``non_finite``: how many values were NaN or infinite.
    """

    points: list[Pair]
    first: Pair | None
    last: Pair | None
    min: Pair | None
    max: Pair | None
    non_finite: int


class JobSeriesDocument(TypedDict):
    """The series of a job, by name."""

    job_id: str
    series: dict[str, SeriesDocument]


class SeriesValuesDocument(TypedDict):
    """The last and the best value of a series; null: none, or the last one was not finite."""

    last: float | None
    best: float | None


class ComparedDocument(TypedDict):
    """One job of a comparison."""

    job_id: str
    name: str | None
    status: str
    parameters: dict[str, Any]
    metrics: dict[str, SeriesValuesDocument]


class ComparisonDocument(TypedDict):
    """Jobs of a group, the oldest first. ``next``: the ``cursor`` of the next page; null: this is the last.

    ``goals``: for series that have a best value, whether it is the least (``min``) or the greatest (``max``).
    """

    jobs: list[ComparedDocument]
    goals: dict[str, str]
    next: str | None


def series_document(job_id: str, curves: Mapping[str, Curve]) -> JobSeriesDocument:
    """The series of a job, by name."""
    return {"job_id": job_id, "series": {name: _series(curve) for name, curve in curves.items()}}


def _series(curve: Curve) -> SeriesDocument:
    one = curve.summary
    return {
        "points": [_pair(point) for point in curve.points],
        "first": _end(one.first), "last": _end(one.last), "min": _end(one.low), "max": _end(one.high),
        "non_finite": one.non_finite,
    }  # fmt: skip


def _pair(point: Point) -> Pair:
    x, y = point
    return [int(x) if x.is_integer() else x, None if math.isnan(y) else y]


def _end(point: Point | None) -> Pair | None:
    return None if point is None else _pair(point)


def compared_document(one: Compared) -> ComparedDocument:
    """One job of a comparison."""
    return {
        "job_id": one.job_id, "name": one.name, "status": one.status, "parameters": dict(one.parameters),
        "metrics": {name: {"last": last, "best": best} for name, (last, best) in one.values.items()},
    }  # fmt: skip
