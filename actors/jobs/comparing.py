"""Jobs of a group side by side: their parameters, and of each series the last and the best value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Literal

import attrs

from actors.jobs.series import Point, SeriesData, Summary, thinned

Goal = Literal["min", "max"]


@attrs.frozen
class Compared:
    """One job of a comparison. ``values``: by the name of the series, its last and its best value.

    None: there is none, or the last one was not finite. ``goals``: for series that have a best value, which one it is.
    """

    job_id: str
    name: str | None
    status: str
    parameters: Mapping[str, Any]
    values: Mapping[str, tuple[float | None, float | None]]
    goals: Mapping[str, Goal] = attrs.field(factory=dict)


def goal_of(name: str, *rules: Mapping[str, Goal]) -> Goal | None:
    """Which value of a series is the best, by the first of ``rules`` that names the series; None if there is no best.

    Without a rule the least value is the best if the name ends in ``loss``.
    """
    for rule in rules:
        if (goal := rule.get(name)) is not None:
            return goal
    return "min" if name.endswith("loss") else None


def joined(before: Summary, after: Summary) -> Summary:
    """The summary of a series that went on in another attempt."""
    return Summary(
        first=before.first or after.first,
        last=after.last or before.last,
        low=_first_of(before.low, after.low, least=True),
        high=_first_of(before.high, after.high, least=False),
        non_finite=before.non_finite + after.non_finite,
    )


def _first_of(before: Point | None, after: Point | None, *, least: bool) -> Point | None:
    if before is None or after is None:
        return before or after
    is_better = after[1] < before[1] if least else after[1] > before[1]
    return after if is_better else before


@attrs.frozen
class Curve:
    """A series as it is shown, all attempts in one: its points and what is kept beside them."""

    points: list[Point]
    summary: Summary


def curves(found: Iterable[SeriesData], most: int) -> dict[str, Curve]:
    """The series of a job by name, ``most`` points of each.

    ``found``: one name after the other, and of each name those of earlier attempts first. So the points of one name
    are in memory at a time.
    """
    return {name: _curve(parts, most) for name, parts in groupby(found, key=lambda one: one.name)}


def _curve(parts: Iterable[SeriesData], most: int) -> Curve:
    points, summary = list[Point](), Summary()
    for one in parts:
        after = one.points
        points += [*_border(points, after), *after]
        summary = joined(summary, one.summary)
    return Curve(thinned(points, most), summary)


def _border(before: list[Point], after: list[Point]) -> list[Point]:
    goes_back = before and after and after[0][0] < before[-1][0]
    return [(after[0][0], math.nan)] if goes_back else []
