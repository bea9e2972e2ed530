"""Rows of deliveries from outside: their ids against repetition, and the hand-overs that they are about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, delete, select, tuple_, type_coerce

from actors.jobs.records import Submission, SubmissionState
from actors.store.dialect import constant, holds, insert_or_ignore, unindexed
from actors.store.prepared import Prepared
from actors.store.rows import read_all
from actors.store.schema import jobs, submissions, webhook_deliveries
from actors.store.submissions import OPEN

_NEW = Prepared(insert_or_ignore(webhook_deliveries))
_COLUMNS = webhook_deliveries.c
_OLDEST = (
    select(_COLUMNS.provider, _COLUMNS.delivery_id)
    .where(_COLUMNS.received_at < bindparam("before"))
    .order_by(_COLUMNS.received_at)
    .limit(bindparam("most"))
)
_FORGOTTEN = Prepared(delete(webhook_deliveries).where(tuple_(_COLUMNS.provider, _COLUMNS.delivery_id).in_(_OLDEST)))

_NOT_HANDED = submissions.c.state.in_([constant(one) for one in (SubmissionState.INTENT, SubmissionState.UNKNOWN)])


def _open(*columns: Any) -> Select[Any]:
    """Hand-overs to a provider that are not closed: they are found first, then the jobs of these alone."""
    of_job = jobs.c.job_id == submissions.c.job_id
    at_provider = unindexed(jobs.c.provider) == bindparam("provider")
    return select(*columns).select_from(submissions).join(jobs, of_job).where(OPEN, at_provider)


_WITH_HANDLE = Prepared(_open(submissions).where(holds(type_coerce(submissions.c.handle, Text), bindparam("part"))))
_WITHOUT_ANSWER = Prepared(_open(submissions).where(_NOT_HANDED))
_WITH_TOKEN = Prepared(_open(submissions).where(submissions.c.token == bindparam("token")))
_KEYS = _open(submissions.c.key).order_by(submissions.c.intent_at).limit(bindparam("most"))
_OPEN_KEYS = Prepared(_KEYS)
_KEYS_WITHOUT_ANSWER = Prepared(_KEYS.where(_NOT_HANDED))


def remember(connection: Connection, provider: str, delivery_id: str, now: datetime) -> bool:
    """Keep the id of a delivery; False where it is there already."""
    return _NEW.run(connection, provider=provider, delivery_id=delivery_id, received_at=now) == 1


def drop(connection: Connection, before: datetime, limit: int) -> int:
    """Forget deliveries that came earlier, the oldest first, at most ``limit`` of them: how many."""
    return _FORGOTTEN.run(connection, before=before, most=limit)


def handed_as(connection: Connection, provider: str, remote_id: str) -> Submission | None:
    """The open hand-over whose handle has this ``id``. Only what is open is read, and the handle then compared."""
    for submission in read_all(Submission, _WITH_HANDLE.dicts(connection, provider=provider, part=remote_id)):
        if submission.handle is not None and submission.handle.get("id") == remote_id:
            return submission
    return None


def with_token(connection: Connection, provider: str, token: str) -> Submission | None:
    """The hand-over whose answer has not come, or was lost, that was made with this token."""
    found = read_all(Submission, _WITHOUT_ANSWER.dicts(connection, provider=provider))
    return next((one for one in found if one.token == token), None)


def made_with(connection: Connection, provider: str, token: str) -> Submission | None:
    """The hand-over that was made with this token and is not closed, whether its answer came or not."""
    return next(iter(read_all(Submission, _WITH_TOKEN.dicts(connection, provider=provider, token=token))), None)


def not_ended(connection: Connection, provider: str, limit: int) -> list[str]:
    """Keys of hand-overs that are not closed, the oldest first."""
    return [key for (key,) in _OPEN_KEYS.all(connection, provider=provider, most=limit)]


def without_answer(connection: Connection, provider: str, limit: int) -> list[str]:
    """Keys of submissions whose answer has not come, or was lost, the oldest first."""
    return [key for (key,) in _KEYS_WITHOUT_ANSWER.all(connection, provider=provider, most=limit)]
