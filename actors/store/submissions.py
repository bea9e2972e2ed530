"""Rows of hand-overs to providers: the intent first, then what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from actors.jobs.records import Job, Submission, SubmissionState
from actors.store.jobs import job_from
from actors.store.schema import jobs, submissions

_FIELDS = ("job_id", "key", "token", "intent_at", "handed_at", "handle", "error", "spends_attempt")


def _attempts(*, last_first: bool = False) -> tuple[ColumnElement[Any], ...]:
    """The order of one job's hand-overs: by the attempt that their keys end with. The clock may have been put back."""
    order = (func.length(submissions.c.key), submissions.c.key)
    return tuple(one.desc() for one in order) if last_first else order


def from_row(row: Row[Any]) -> Submission:
    """A row of all columns as a submission."""
    return Submission(state=SubmissionState(row.state), **{name: getattr(row, name) for name in _FIELDS})


def put(connection: Connection, submission: Submission) -> None:
    """Write an intent; one of the same key (a try that was surely not accepted) is replaced."""
    connection.execute(delete(submissions).where(submissions.c.key == submission.key))
    row = {"state": submission.state.value, **{name: getattr(submission, name) for name in _FIELDS}}
    connection.execute(insert(submissions).values(**row))


def change(connection: Connection, key: str, **changes: Any) -> None:
    """Change a submission."""
    if "state" in changes:
        changes["state"] = changes["state"].value
    connection.execute(update(submissions).where(submissions.c.key == key).values(**changes))


def newest(connection: Connection, job_id: str) -> Submission | None:
    """The last hand-over of this job."""
    query = select(submissions).where(submissions.c.job_id == job_id).order_by(*_attempts(last_first=True)).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else from_row(row)


def by_key(connection: Connection, key: str) -> Submission | None:
    """The hand-over of this key."""
    row = connection.execute(select(submissions).where(submissions.c.key == key)).one_or_none()
    return None if row is None else from_row(row)


def by_keys(connection: Connection, keys: Iterable[str]) -> dict[str, Submission]:
    """The hand-overs of these keys."""
    rows = connection.execute(select(submissions).where(submissions.c.key.in_(list(keys))))
    return {row.key: from_row(row) for row in rows}


def open_at(
    connection: Connection, provider: str, *, unsettled: bool = False, keys: Iterable[str] | None = None
) -> list[tuple[Submission, Job]]:
    """Hand-overs to this provider that are not closed, each with its job, oldest first.

    ``unsettled``: only those whose outcome is unknown or whose job is to be cancelled; ``keys``: these, too.
    """
    query = _open(unsettled, keys is not None)
    bound: dict[str, Any] = {"provider": provider}
    found = []
    for row in connection.execute(query, bound if keys is None else {**bound, "keys": list(keys)}):
        columns = row._mapping
        mine = {name: columns[submissions.c[name]] for name in _FIELDS}
        found.append((Submission(state=SubmissionState(columns[submissions.c.state]), **mine), job_from(columns)))
    return found


@cache
def _open(unsettled: bool, some_keys: bool) -> Select[Any]:
    query = (
        select(submissions, jobs)
        .join(jobs, jobs.c.job_id == submissions.c.job_id)
        .where(submissions.c.state != SubmissionState.CLOSED.value, jobs.c.provider == bindparam("provider"))
        .order_by(submissions.c.intent_at)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    )
    wanted: list[ColumnElement[bool]] = []
    if some_keys:
        wanted.append(submissions.c.key.in_(bindparam("keys", expanding=True)))
    if unsettled:
        wanted.append((submissions.c.state == SubmissionState.UNKNOWN.value) | jobs.c.cancel_requested_at.is_not(None))
    return query.where(or_(*wanted)) if wanted else query


_INTENTS = (
    select(submissions).where(submissions.c.state == SubmissionState.INTENT.value).order_by(submissions.c.intent_at)
)


def intents(connection: Connection) -> list[Submission]:
    """All hand-overs whose call was begun and has no outcome yet."""
    return [from_row(row) for row in connection.execute(_INTENTS)]


def of_jobs(connection: Connection, job_ids: Iterable[str]) -> dict[str, Submission]:
    """The last hand-over of each of these jobs."""
    query = select(submissions).where(submissions.c.job_id.in_(list(job_ids))).order_by(*_attempts())
    return {row.job_id: from_row(row) for row in connection.execute(query)}
