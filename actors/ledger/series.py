"""Questions about the numbers of jobs over time: of one job, and of the jobs of a group side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from actors.jobs.comparing import Compared, Curve, Goal, curves, goal_of
from actors.jobs.pages import Cursors, Page
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.page_request import PageRequest
from actors.ledger.queries import find
from actors.store import series
from actors.store.series import GroupedJob


def of_job(connection: Connection, part: str, most: int) -> tuple[str, dict[str, Curve]]:
    """The id of a job, and its series by name, ``most`` points of each."""
    job = find(connection, part)
    return job.job_id, curves(series.of_job(connection, job.job_id), most)


def comparison(
    connection: Connection, request: PageRequest, user_id: str, group: str, best: Mapping[str, Goal]
) -> Page[Compared]:
    """The jobs of a group, the oldest first. ``best``: the configured rules; raises :class:`Refused` for no jobs."""
    request.check()
    cursors = Cursors[Compared]("comparison", request.caller, user_id, group)
    place = cursors.read(request.cursor, str)
    after = "" if place is None else str(place[0])
    found = series.of_group(connection, user_id, group, after, request.limit + 1)
    if not found and place is None:
        message = f"user {user_id!r:.80} has no jobs in a group {group!r:.80}; name another owner: --user"
        raise Refused(message, RefusalKind.NOT_FOUND, "group")
    rows = _compared(found[: request.limit], best)
    return Page(rows, more=len(found) > request.limit, cursor=lambda one: cursors.write((one.job_id,)))


def _compared(found: list[GroupedJob], best: Mapping[str, Goal]) -> list[Compared]:
    rows = []
    for job in found:
        own = _mapping(job.best)
        values = {
            name: (last, low if (goal := goal_of(name, own, best)) == "min" else high if goal == "max" else None)
            for name, (last, low, high) in job.ends.items()
        }
        goals = {name: goal for name in job.ends if (goal := goal_of(name, own, best)) is not None}
        rows.append(Compared(job.job_id, job.name, job.status, _mapping(job.parameters), values, goals))
    return rows


def _json(text: str | None) -> Any:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _mapping(text: str | None) -> Mapping[str, Any]:
    found = _json(text)
    return found if isinstance(found, dict) else {}
