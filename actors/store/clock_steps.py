"""The changes of rows after a step of the wall clock, and after a start, before which the clock may have been
stepped.

When the clock last leapt forward is kept by that clock, and moves with it: a restart does not shorten the time in which
nothing expires, nor does a step back make it longer (C6).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from actors.jobs.retention import leapt, silent
from actors.kernel.steps import QUIET, TOLERANCE, Step
from actors.store import events, holds, runtime_settings, waits
from actors.store.types import instant, microseconds

_LEAPT_AT = "clock.leapt_at"


def follow(connection: Connection, step: Step) -> None:
    """Move the waits together with the clock; after a leap forward, put removal by age on hold (B12, C6)."""
    leapt_at, before = _leapt_at(connection), step.now - step.by
    if abs(step.by) > TOLERANCE:
        waits.shift(connection, step.by, step.now)
    if leapt_at is not None and timedelta() <= before - leapt_at < QUIET:
        _keep(connection, leapt_at + step.by, step.now)
    elif step.forward is not None:
        _keep(connection, step.now, step.now)
    if step.forward is not None:
        holds.begin(connection, leapt(step.forward), step.now)


def start(connection: Connection, now: datetime) -> timedelta | None:
    """Bound the waits of before; if the last event is long ago, put removal by age on hold (B12, C6).

    Returns how long ago an earlier process noticed a leap, None if none did or the clock was put back behind it.
    """
    leapt_at = _leapt_at(connection)
    waits.bound(connection, now)
    reason = silent(events.newest_time(connection), now)
    if reason is not None:
        holds.begin(connection, reason, now)
    return None if leapt_at is None or leapt_at > now else now - leapt_at


def _leapt_at(connection: Connection) -> datetime | None:
    try:
        return instant(runtime_settings.read(connection, _LEAPT_AT)[_LEAPT_AT])
    except (KeyError, TypeError, OverflowError):  # there is none, or it is damaged
        return None


def _keep(connection: Connection, leapt_at: datetime, now: datetime) -> None:
    runtime_settings.put(connection, _LEAPT_AT, microseconds(leapt_at), now, None)
