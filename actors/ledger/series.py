"""Questions about the numbers of jobs over time: of one job, and of the jobs of a group side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from actors.jobs.comparing import Compared, Curve, Goal, curves, goal_of, joined, last_and_best
from actors.jobs.pages import Cursors, Page
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.listing import PageRequest
from actors.ledger.queries import find
from actors.store import series
from actors.store.series import GroupedJob, summary_of


def of_job(connection: Connection, part: str, most: int) -> tuple[str, dict[str, Curve]]:
    """The id of a job, and its series by name, ``most`` points of each."""
    job = find(connection, part)
    return job.job_id, curves(series.of_job(connection, job.job_id), most)


def comparison(
    connection: Connection, wanted: PageRequest, user_id: str, group: str, best: Mapping[str, Goal]
) -> Page[Compared]:
    """The jobs of a group, the oldest first. ``best``: the configured rules; raises :class:`Refused` for no jobs."""
    wanted.check()
    cursors = Cursors[Compared]("comparison", wanted.caller, user_id, group)
    place = cursors.read(wanted.cursor, str)
    after = "" if place is None else str(place[0])
    found = series.of_group(connection, user_id, group, after, wanted.limit + 1)
    if not found and place is None:
        message = f"user {user_id!r:.80} has no jobs in a group {group!r:.80}; name another owner: --user"
        raise Refused(message, RefusalKind.NOT_FOUND, "group")
    rows = _compared(found[: wanted.limit], best)
    return Page(rows, more=len(found) > wanted.limit, cursor=lambda one: cursors.write((one.job_id,)))


def _compared(found: list[GroupedJob], best: Mapping[str, Goal]) -> list[Compared]:
    summaries = iter(_all_json([content for job in found for _, _, content in job.series]))
    rows = []
    for job in found:
        rules = (_mapping(job.best), best)
        by_name: dict[str, Any] = {}
        for _, name, summary in sorted(
            [(attempt, name, next(summaries)) for attempt, name, _ in job.series], key=lambda one: one[:2]
        ):
            read = summary_of(summary)
            by_name[name] = joined(by_name[name], read) if name in by_name else read
        metrics = {name: last_and_best(summary, goal_of(name, *rules)) for name, summary in by_name.items()}
        rows.append(Compared(job.job_id, job.name, job.status, _mapping(job.parameters), metrics))
    return rows


def _all_json(texts: list[str]) -> list[Any]:
    """What is in these JSON texts: read together, which costs a fifth, or one by one where one is damaged."""
    try:
        whole = orjson.loads(f"[{','.join(texts)}]")
        if len(whole) == len(texts):
            return list(whole)
    except orjson.JSONDecodeError:
        pass
    return [_json(text) for text in texts]


def _json(text: str | None) -> Any:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _mapping(text: str | None) -> Mapping[str, Any]:
    found = _json(text)
    return found if isinstance(found, dict) else {}
