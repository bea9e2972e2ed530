"""Rows of events: what readers resume from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, func, select

from actors.jobs.records import Event
from actors.store.schema import events


def from_row(row: Row[Any]) -> Event:
    """A row of all columns as an event."""
    return Event(row.seq, row.time, row.type, row.job_id, row.correlation_id, row.data)


def after(
    connection: Connection,
    seq: int,
    *,
    job_id: str | None = None,
    types: Iterable[str] = (),
    limit: int = 500,
) -> list[Event]:
    """Events whose number is greater than ``seq``, in order."""
    query = select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
    if job_id is not None:
        query = query.where(events.c.job_id == job_id)
    wanted = list(types)
    if wanted:
        query = query.where(events.c.type.in_(wanted))
    return [from_row(row) for row in connection.execute(query)]


def last(connection: Connection) -> int:
    """The number of the newest event; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one())
