"""Rows of events: what readers resume from."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from sqlalchemy import Connection, func, select

from actors.jobs.records import Event
from actors.jobs.views import EventFilters
from actors.store.paging import bounded, stored_size
from actors.store.rows import read_all
from actors.store.schema import counters, events, jobs


def after(connection: Connection, seq: int, *, limit: int = 500, **filters: Unpack[EventFilters]) -> list[Event]:
    """Events whose number is greater than ``seq``, in order: the first page of them."""
    return page(connection, seq, limit=limit, **filters)[0]


def page(connection: Connection, seq: int, *, limit: int, **filters: Unpack[EventFilters]) -> tuple[list[Event], bool]:
    """Events whose number is greater than ``seq``, in order, and whether there are more."""
    query = select(events, stored_size(events.c.data)).where(events.c.seq > seq).order_by(events.c.seq)
    if (job_id := filters.get("job_id")) is not None:
        query = query.where(events.c.job_id == job_id)
    if types := list(filters.get("types", ())):
        query = query.where(events.c.type.in_(types))
    if (user_id := filters.get("user_id")) is not None:
        query = query.where(
            select(jobs.c.job_id).where(jobs.c.job_id == events.c.job_id, jobs.c.user_id == user_id).exists()
        )
    found, more = bounded(connection, query, limit)
    return read_all(Event, found), more


def last(connection: Connection) -> int:
    """The number of the newest event; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one())


def newest_time(connection: Connection) -> datetime | None:
    """When the newest event was written, by the clock of that moment; None where there is none."""
    return connection.execute(select(events.c.time).order_by(events.c.seq.desc()).limit(1)).scalar_one_or_none()


def written(connection: Connection) -> int:
    """The number of the last event that was ever written."""
    query = select(counters.c.value).where(counters.c.name == "events")
    return int(connection.execute(query).scalar_one_or_none() or 0)


def number_after(connection: Connection, seq: int) -> int:
    """How many events there are still whose number is greater than ``seq``."""
    return connection.execute(select(func.count()).where(events.c.seq > seq)).scalar_one()
