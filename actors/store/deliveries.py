"""Rows of deliveries from outside: their ids against repetition, and the hand-overs that they are about."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Text, delete, select, tuple_, type_coerce

from actors.jobs.records import Submission, SubmissionState
from actors.store.dialect import holds, insert_or_ignore
from actors.store.rows import read_all
from actors.store.schema import jobs, submissions, webhook_deliveries


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
    query = (
        select(submissions)
        .join(jobs, jobs.c.job_id == submissions.c.job_id)
        .where(
            submissions.c.token == token,
            submissions.c.state != SubmissionState.CLOSED.value,
            jobs.c.provider == provider,
        )
    )
    return next(iter(read_all(Submission, connection.execute(query))), None)


def not_ended(connection: Connection, provider: str, limit: int) -> list[str]:
    """Keys of hand-overs that are not closed, the oldest first."""
    query = (
        select(submissions.c.key)
        .join(jobs, jobs.c.job_id == submissions.c.job_id)
        .where(submissions.c.state != SubmissionState.CLOSED.value, jobs.c.provider == provider)
        .order_by(submissions.c.intent_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def unknown(connection: Connection, provider: str, limit: int) -> list[str]:
    """Keys of hand-overs whose outcome is unknown, the oldest first."""
    query = (
        select(submissions.c.key)
        .join(jobs, jobs.c.job_id == submissions.c.job_id)
        .where(submissions.c.state == SubmissionState.UNKNOWN.value, jobs.c.provider == provider)
        .order_by(submissions.c.intent_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def _open(connection: Connection, provider: str, *, handle_with: str | None = None) -> list[Submission]:
    query = (
        select(submissions)
        .join(jobs, jobs.c.job_id == submissions.c.job_id)
        .where(submissions.c.state != SubmissionState.CLOSED.value, jobs.c.provider == provider)
    )
    if handle_with is None:
        query = query.where(submissions.c.state.in_([SubmissionState.INTENT.value, SubmissionState.UNKNOWN.value]))
    else:
        query = query.where(holds(type_coerce(submissions.c.handle, Text), handle_with))
    return read_all(Submission, connection.execute(query))
