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
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from actors.jobs.records import Job, Submission, SubmissionState
from actors.store.rows import read_all, read_one
from actors.store.schema import jobs, submissions

_FIELDS = ("job_id", "key", "token", "intent_at", "handed_at", "handle", "error", "spends_attempt")


def _attempts(*, last_first: bool = False) -> tuple[ColumnElement[Any], ...]:
    """The order of one job's hand-overs: by the attempt that their keys end with. The clock may have been put back."""
    order = (func.length(submissions.c.key), submissions.c.key)
    return tuple(one.desc() for one in order) if last_first else order


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
    """The newest submission of this job."""
    query = select(submissions).where(submissions.c.job_id == job_id).order_by(*_attempts(last_first=True)).limit(1)
    return read_one(Submission, connection.execute(query).one_or_none())


def by_key(connection: Connection, key: str) -> Submission | None:
    """The submission of this key."""
    return read_one(Submission, connection.execute(select(submissions).where(submissions.c.key == key)).one_or_none())


def by_keys(connection: Connection, keys: Iterable[str]) -> dict[str, Submission]:
    """The submissions of these keys."""
    rows = connection.execute(select(submissions).where(submissions.c.key.in_(list(keys))))
    return {one.key: one for one in read_all(Submission, rows)}


def open_at(
    connection: Connection, provider: str, *, unsettled: bool = False, keys: Iterable[str] | None = None
) -> list[tuple[Submission, Job]]:
    """Submissions to this provider that are not closed, each with its job, oldest first.

    ``unsettled``: only those whose outcome is unknown or whose job is to be cancelled; ``keys``: these, too.
    """
    query = _open(unsettled, keys is not None)
    bound: dict[str, Any] = {"provider": provider}
    rows = connection.execute(query, bound if keys is None else {**bound, "keys": list(keys)}).all()
    by_id = {job.job_id: job for job in read_all(Job, (_columns_of(jobs, row) for row in rows))}
    of_jobs = read_all(Submission, (_columns_of(submissions, row) for row in rows))
    return [(one, by_id[one.job_id]) for one in of_jobs if one.job_id in by_id]


def _columns_of(table: Table, row: Row[Any]) -> dict[str, Any]:
    """One table's columns of a row of two."""
    return {column.name: row._mapping[column] for column in table.columns}


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
    """All submissions whose call was begun and has no outcome yet."""
    return read_all(Submission, connection.execute(_INTENTS))


def of_jobs(connection: Connection, job_ids: Iterable[str]) -> dict[str, Submission]:
    """The newest submission of each of these jobs."""
    query = select(submissions).where(submissions.c.job_id.in_(list(job_ids))).order_by(*_attempts())
    return {one.job_id: one for one in read_all(Submission, connection.execute(query))}
