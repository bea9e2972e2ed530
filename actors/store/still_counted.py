"""What is kept of removed jobs, so that who removes jobs evades no approval rule that counts them (B19).

A user who ever submitted a job stays known, and a job counts as submitted in its day although it was removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select

from actors.jobs.ids import earliest
from actors.store.dialect import insert_or_ignore
from actors.store.prepared import Prepared
from actors.store.schema import jobs, removed_jobs, submitters
from actors.store.types import UTCDateTime

DAY = timedelta(hours=24)
"""For how long a submission counts."""

_THESE: ColumnElement[Any] = bindparam("these", expanding=True)
_SINCE: ColumnElement[Any] = bindparam("since", type_=UTCDateTime)
_USER: ColumnElement[Any] = bindparam("user_id")
_THEIR_USERS = select(jobs.c.user_id).where(jobs.c.job_id.in_(_THESE)).distinct()
_YOUNG = select(jobs.c.job_id, jobs.c.user_id, jobs.c.created_at).where(
    jobs.c.job_id.in_(_THESE), jobs.c.created_at > _SINCE
)
_NOTE_USERS = Prepared(insert_or_ignore(submitters).from_select(["user_id"], _THEIR_USERS))
_NOTE_JOBS = Prepared(insert_or_ignore(removed_jobs).from_select(["job_id", "user_id", "created_at"], _YOUNG))
_DROP = Prepared(delete(removed_jobs).where(removed_jobs.c.created_at <= _SINCE))
_NUMBER = Prepared(select(func.count()).where(removed_jobs.c.user_id == _USER, removed_jobs.c.created_at > _SINCE))
_KNOWN = Prepared(select(submitters.c.user_id).where(submitters.c.user_id == _USER))


def note_removal(connection: Connection, job_ids: Iterable[str], now: datetime) -> None:
    """Keep what still counts of these jobs, which are about to be removed, and drop what counts no more."""
    ids, since = list(job_ids), now - DAY
    _NOTE_USERS.run(connection, these=ids)
    _DROP.run(connection, since=since)
    if young := [one for one in ids if one >= earliest(since)]:
        _NOTE_JOBS.run(connection, these=young, since=since)


def removed_since(connection: Connection, user_id: str, since: datetime) -> int:
    """How many jobs that this user submitted after ``since``, at most a day ago, were removed."""
    return int(_NUMBER.all(connection, user_id=user_id, since=since)[0][0])


def has_removed(connection: Connection, user_id: str) -> bool:
    """Whether a job of this user was ever removed."""
    return _KNOWN.one(connection, user_id=user_id) is not None
