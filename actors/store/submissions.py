"""Rows of hand-overs to providers: the intent first, then what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, or_, select, update

from actors.jobs.records import Job, Submission, SubmissionState
from actors.store.dialect import constant, unindexed
from actors.store.prepared import Prepared
from actors.store.rows import read_all, read_one
from actors.store.schema import jobs, submissions

_FIELDS = ("job_id", "key", "token", "intent_at", "handed_at", "handle", "error", "spends_attempt")
_NAMES = tuple(submissions.c.keys())
_JOB_NAMES = tuple(jobs.c.keys())


def _attempts(*, last_first: bool = False) -> tuple[ColumnElement[Any], ...]:
    """The order of one job's hand-overs: by the attempt that their keys end with. The clock may have been put back."""
    order = (func.length(submissions.c.key), submissions.c.key)
    return tuple(one.desc() for one in order) if last_first else order


OPEN = submissions.c.state != constant(SubmissionState.CLOSED)
"""Word for word the condition of the index of open submissions."""
_REPLACED = Prepared(delete(submissions).where(submissions.c.key == bindparam("this")))
_NEW = Prepared(insert(submissions), ("state", *_FIELDS))
_ONE = Prepared(update(submissions).where(submissions.c.key == bindparam("this")))


def put(connection: Connection, new: Sequence[Submission]) -> None:
    """Write intents; one of the same key (a try that was surely not accepted) is replaced."""
    _REPLACED.run_many(connection, [{"this": one.key} for one in new])
    rows = [{"state": one.state.value, **{name: getattr(one, name) for name in _FIELDS}} for one in new]
    _NEW.run_many(connection, rows)


def change(connection: Connection, key: str, **changes: Any) -> None:
    """Change a submission."""
    if "state" in changes:
        changes["state"] = changes["state"].value
    _ONE.writing(changes).run(connection, this=key, **changes)


_ROWS = select(submissions)
_NEWEST = Prepared(
    _ROWS.where(submissions.c.job_id == bindparam("job_id")).order_by(*_attempts(last_first=True)).limit(1)
)
_BY_KEY = Prepared(_ROWS.where(submissions.c.key == bindparam("key")))
_BY_KEYS = Prepared(_ROWS.where(submissions.c.key.in_(bindparam("keys", expanding=True))))
_INTENTS = Prepared(
    _ROWS.where(OPEN, submissions.c.state == constant(SubmissionState.INTENT)).order_by(submissions.c.intent_at)
)
_OF_JOBS = Prepared(_ROWS.where(submissions.c.job_id.in_(bindparam("job_ids", expanding=True))).order_by(*_attempts()))


def newest(connection: Connection, job_id: str) -> Submission | None:
    """The newest submission of this job."""
    return read_one(Submission, _NEWEST.one_dict(connection, job_id=job_id))


def by_key(connection: Connection, key: str) -> Submission | None:
    """The submission of this key."""
    return read_one(Submission, _BY_KEY.one_dict(connection, key=key))


def by_keys(connection: Connection, keys: Iterable[str]) -> dict[str, Submission]:
    """The submissions of these keys."""
    return {one.key: one for one in read_all(Submission, _BY_KEYS.dicts(connection, keys=keys))}


def open_at(
    connection: Connection, provider: str, *, unsettled: bool = False, keys: Iterable[str] | None = None
) -> list[tuple[Submission, Job]]:
    """Submissions to this provider that are not closed, each with its job, oldest first.

    ``unsettled``: only those whose outcome is unknown or whose job is to be cancelled; ``keys``: these, too.
    """
    statement = _open(unsettled, keys is not None)
    found = statement.all(connection, provider=provider, **({} if keys is None else {"keys": keys}))
    width = len(_NAMES)
    of_jobs = read_all(Job, (dict(zip(_JOB_NAMES, row[width:], strict=True)) for row in found))
    by_id = {job.job_id: job for job in of_jobs}
    handed = read_all(Submission, (dict(zip(_NAMES, row[:width], strict=True)) for row in found))
    return [(one, by_id[one.job_id]) for one in handed if one.job_id in by_id]


@cache
def _open(unsettled: bool, some_keys: bool) -> Prepared:
    query = (
        select(submissions, jobs)
        .join(jobs, jobs.c.job_id == submissions.c.job_id)
        .where(OPEN, unindexed(jobs.c.provider) == bindparam("provider"))
        .order_by(submissions.c.intent_at)
    )
    alternatives: list[ColumnElement[bool]] = []
    if some_keys:
        alternatives.append(submissions.c.key.in_(bindparam("keys", expanding=True)))
    if unsettled:
        is_cancelled = jobs.c.cancel_requested_at.is_not(None)
        alternatives.append((submissions.c.state == SubmissionState.UNKNOWN.value) | is_cancelled)
    return Prepared(query.where(or_(*alternatives)) if alternatives else query)


def intents(connection: Connection) -> list[Submission]:
    """All submissions whose call was begun and has no outcome yet."""
    return read_all(Submission, _INTENTS.dicts(connection))


_LAST_HANDED = Prepared(
    select(submissions.c.key)
    .where(
        submissions.c.job_id == bindparam("job_id"),
        submissions.c.state == constant(SubmissionState.CLOSED),
        submissions.c.handed_at.is_not(None),
    )
    .order_by(*_attempts(last_first=True))
    .limit(1)
)
_ALL_OF = Prepared(
    _ROWS.where(submissions.c.job_id == bindparam("job_id"))
    .order_by(*_attempts(last_first=True))
    .limit(bindparam("most"))
)


def last_handed(connection: Connection, job_id: str) -> str | None:
    """The key of the newest attempt that its provider had and that is over; None: there is none."""
    found = _LAST_HANDED.one(connection, job_id=job_id)
    return None if found is None else str(found[0])


def newest_of(connection: Connection, job_id: str, most: int) -> list[Submission]:
    """The newest submissions of a job, ``most`` of them at most, the oldest of these first."""
    return read_all(Submission, _ALL_OF.dicts(connection, job_id=job_id, most=most))[::-1]


def of_jobs(connection: Connection, job_ids: Iterable[str]) -> dict[str, Submission]:
    """The newest submission of each of these jobs."""
    return {one.job_id: one for one in read_all(Submission, _OF_JOBS.dicts(connection, job_ids=job_ids))}
