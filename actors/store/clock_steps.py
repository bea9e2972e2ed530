"""The changes of rows after a step of the wall clock, and after a start, before which the clock may have been
stepped.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from actors.jobs.retention import leapt, leapt_ago, silent
from actors.kernel.steps import TOLERANCE, Step
from actors.store import events, holds, waits


def follow(connection: Connection, step: Step) -> None:
    """Move the waits together with the clock; after a leap forward, put removal by age on hold (B12, C6)."""
    if abs(step.by) > TOLERANCE:
        waits.shift(connection, step.by, step.now)
    if step.forward is not None:
        holds.begin(connection, leapt(step.forward), step.now)


def start(connection: Connection, now: datetime) -> float | None:
    """Bound the waits of before; if the last event is long ago, put removal by age on hold (B12, C6).

    Returns the seconds since an earlier process noticed the leap that caused the hold; None if there is none.
    """
    ago = leapt_ago(holds.current(connection), now)
    waits.bound(connection, now)
    reason = silent(events.newest_time(connection), now)
    if reason is not None:
        holds.begin(connection, reason, now)
    return ago
