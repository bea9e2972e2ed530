"""Routes about series: the numbers of one job over time, and comparisons of the jobs of a group."""

from __future__ import annotations

import attrs
from attrs.validators import ge, le

from actors.access.permission import OWN_JOB, OWN_LISTING
from actors.api.answers import page_document
from actors.api.route import Call, Nothing, route
from actors.documents.series import ComparisonDocument, JobSeriesDocument, compared_document, series_document
from actors.jobs import maxima, maximum
from actors.jobs.series import MOST_POINTS


@attrs.frozen
class SeriesQuery:
    """The most points of each series."""

    points: int = attrs.field(default=MOST_POINTS, validator=[ge(8), le(MOST_POINTS)])


@attrs.frozen
class ComparisonQuery:
    """Which group, and whose. ``cursor``: ``next`` of the page before, with the same other parameters."""

    group: str = attrs.field(validator=maximum.Text(maxima.NAME))
    user_id: str | None = attrs.field(default=None, validator=maximum.Text(maxima.NAME))
    cursor: str | None = attrs.field(default=None, validator=maximum.Text(maxima.CURSOR))
    limit: int = attrs.field(default=maxima.ROWS, validator=[ge(1), le(maxima.ROWS)])


async def metrics(call: Call[Nothing, SeriesQuery]) -> JobSeriesDocument:
    """Show the numbers that a job reported over time."""
    job_id, curves = await call.reading.series.of_job(call.path("job_id"), call.query.points)
    return series_document(job_id, curves)


async def compare(call: Call[Nothing, ComparisonQuery]) -> ComparisonDocument:
    """Compare the jobs of a group: their parameters, and the last and the best value of each series.

    A group belongs to a user; without ``user_id`` it is yours.
    """
    asked = call.query
    owner = call.visible_user(asked.user_id) or call.by
    page = await call.reading.series.compare(asked.group, owner, limit=asked.limit, cursor=asked.cursor, caller=call.by)
    goals = {name: goal for one in page for name, goal in one.goals.items()}
    return page_document(ComparisonDocument, "jobs", page, compared_document, {"goals": goals})


ROUTES = [
    route("GET", "/api/jobs/{job_id}/metrics", metrics, OWN_JOB),
    route("GET", "/api/compare", compare, OWN_LISTING),
]
