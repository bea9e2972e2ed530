"""Rows of deliveries from outside: their ids against repetition, and the hand-overs that they are about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, delete, select, tuple_, type_coerce

from actors.jobs.records import Submission, SubmissionState
from actors.store.dialect import constant, holds, insert_or_ignore, unindexed
from actors.store.rows import read_all
from actors.store.schema import jobs, submissions, webhook_deliveries
from actors.store.submissions import OPEN

_UNKNOWN = constant(SubmissionState.UNKNOWN)


def remember(connection: Connection, provider: str, delivery_id: str, now: datetime) -> bool:
    """Keep the id of a delivery; False where it is there already."""
    row = {"provider": provider, "delivery_id": delivery_id, "received_at": now}
    return connection.execute(insert_or_ignore(webhook_deliveries).values(**row)).rowcount == 1


def drop(connection: Connection, before: datetime, limit: int) -> int:
    """Forget deliveries that came earlier, the oldest first, at most ``limit`` of them: how many."""
    columns = webhook_deliveries.c
    oldest = (
        select(columns.provider, columns.delivery_id)
        .where(columns.received_at < before)
        .order_by(columns.received_at)
        .limit(limit)
    )
    both = tuple_(columns.provider, columns.delivery_id)
    return connection.execute(delete(webhook_deliveries).where(both.in_(oldest))).rowcount


def handed_as(connection: Connection, provider: str, remote_id: str) -> Submission | None:
    """The open hand-over whose handle has this ``id``. Only what is open is read, and the handle then compared."""
    for submission in _open(connection, provider, handle_with=remote_id):
        if submission.handle is not None and submission.handle.get("id") == remote_id:
            return submission
    return None


def with_token(connection: Connection, provider: str, token: str) -> Submission | None:
    """The open hand-over that was made with this token."""
    return next((one for one in _open(connection, provider) if one.token == token), None)


def made_with(connection: Connection, provider: str, token: str) -> Submission | None:
    """The hand-over that was made with this token and is not closed, whether its answer came or not."""
    found = connection.execute(_open_at(provider).where(submissions.c.token == token))
    return next(iter(read_all(Submission, found)), None)


def not_ended(connection: Connection, provider: str, limit: int) -> list[str]:
    """Keys of hand-overs that are not closed, the oldest first."""
    query = _open_at(provider).with_only_columns(submissions.c.key).order_by(submissions.c.intent_at).limit(limit)
    return list(connection.execute(query).scalars())


def unknown(connection: Connection, provider: str, limit: int) -> list[str]:
    """Keys of hand-overs whose outcome is unknown, the oldest first."""
    query = _open_at(provider).with_only_columns(submissions.c.key).where(submissions.c.state == _UNKNOWN)
    return list(connection.execute(query.order_by(submissions.c.intent_at).limit(limit)).scalars())


def _open_at(provider: str) -> Select[Any]:
    """Hand-overs to this provider that are not closed: they are found first, then the jobs of these alone."""
    of_job = jobs.c.job_id == submissions.c.job_id
    return select(submissions).join(jobs, of_job).where(OPEN, unindexed(jobs.c.provider) == provider)


def _open(connection: Connection, provider: str, *, handle_with: str | None = None) -> list[Submission]:
    query = _open_at(provider)
    if handle_with is None:
        query = query.where(submissions.c.state.in_([constant(SubmissionState.INTENT), _UNKNOWN]))
    else:
        query = query.where(holds(type_coerce(submissions.c.handle, Text), handle_with))
    return read_all(Submission, connection.execute(query))
