"""Relative waits in the rows: none ends later than its own length after it began, whatever the wall clock does (B12).

The end of a wait is stored as an instant of the wall clock, together with the length of the wait. If the clock is
stepped under a running supervisor, all ends move with it (:func:`shift`). Over a restart nobody knows how much time has
passed, so the wait lasts at most its length from now on (:func:`bound`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Update, bindparam, cast, func, select, type_coerce, update

from actors.jobs.records import SubmissionState
from actors.jobs.retry import LONGEST_RETRY_AFTER
from actors.store import lanes, remembered
from actors.store.dialect import constant
from actors.store.idempotency import LIMITED
from actors.store.schema import (
    idempotency_keys,
    notifications,
    provider_gates,
    queue_entries,
    submissions,
    webhook_deliveries,
)
from actors.store.schema import lanes as lane_rows
from actors.store.submissions import OPEN
from actors.store.types import UTCDateTime, microseconds

_SECOND = 1_000_000
_WAITS = (
    (queue_entries.c.not_before, queue_entries.c.wait_seconds),
    (provider_gates.c.closed_until, provider_gates.c.closed_seconds),
    (notifications.c.next_try_at, notifications.c.wait_seconds),
)
_STARTS = (queue_entries.c.start_after, queue_entries.c.start_wait_seconds)
"""A start without a length is an instant of the wall clock, and stays where it is."""
_BEGINNINGS = (idempotency_keys.c.created_at, webhook_deliveries.c.received_at)
"""When something began that is kept for a while; what has no length beside it, since that is a constant."""


def shift(connection: Connection, by: timedelta, now: datetime) -> None:
    """Move every wait with the wall clock, which was stepped ``by`` to ``now``."""
    for ends, _ in _WAITS:
        connection.execute(_shift(ends), {"by": by // timedelta(microseconds=1)})
    connection.execute(_shift_starts(), {"by": by // timedelta(microseconds=1)})
    remembered.changed(connection)
    connection.execute(_shift_intents(), {"by": by // timedelta(microseconds=1)})
    since = lane_rows.c.blocked_since
    for lane_id, began in connection.execute(select(lane_rows.c.lane_id, since).where(since.is_not(None))).all():
        lanes.set_shortage(connection, lane_id, began + by)
    if by < timedelta(0):
        _not_in_the_future(connection, now)


def bound(connection: Connection, now: datetime) -> None:
    """Let no wait end later than its own length after ``now``; what a row has no length for, within a day."""
    for ends, seconds in _WAITS:
        connection.execute(_bound(ends, seconds), {"at": microseconds(now)})
    connection.execute(_bound_starts(), {"at": microseconds(now)})
    remembered.changed(connection)
    _not_in_the_future(connection, now)


def _not_in_the_future(connection: Connection, now: datetime) -> None:
    """What began did so before ``now``, or now: so nothing is kept for long on the word of a clock that was ahead."""
    for began in _BEGINNINGS:
        connection.execute(_clamp(began), {"at": now})
    since = lane_rows.c.blocked_since
    for lane_id in connection.execute(select(lane_rows.c.lane_id).where(since > now)).scalars().all():
        lanes.set_shortage(connection, lane_id, now)
    lanes.set_back(connection, now)


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of instants as the whole number of microseconds that it is."""
    return type_coerce(column, BigInteger)


@cache
def _shift(ends: Any) -> Update:
    moved = type_coerce(_plain(ends) + bindparam("by", type_=BigInteger), UTCDateTime)
    return update(ends.table).where(ends.is_not(None)).values({ends: moved})


@cache
def _shift_starts() -> Update:
    starts, seconds = _STARTS
    return _shift(starts).where(seconds.is_not(None))


@cache
def _bound_starts() -> Update:
    starts, seconds = _STARTS
    return _bound(starts, seconds).where(starts.is_not(None), seconds.is_not(None))


@cache
def _shift_intents() -> Update:
    """Submissions under way: others wait for a suspected one, for a time that counts from its beginning."""
    return _shift(submissions.c.intent_at).where(OPEN, submissions.c.state == constant(SubmissionState.INTENT))


@cache
def _bound(ends: Any, seconds: Any) -> Update:
    length = func.coalesce(seconds, LONGEST_RETRY_AFTER) * _SECOND
    latest = bindparam("at", type_=BigInteger) + cast(length, BigInteger)
    return (
        update(ends.table)
        .where(ends.is_not(None), _plain(ends) > latest)
        .values({ends: type_coerce(latest, UTCDateTime)})
    )


@cache
def _clamp(began: Any) -> Update:
    at = bindparam("at", type_=UTCDateTime)
    some = (LIMITED,) if began.table is idempotency_keys else ()
    return update(began.table).where(began > at, *some).values({began: at})
