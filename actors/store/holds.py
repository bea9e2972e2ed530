"""The hold that prevents removal by age: one row, so that it lasts over restarts."""

from __future__ import annotations

from datetime import datetime

import attrs
from sqlalchemy import Connection

from actors.jobs.retention import Hold
from actors.store import rows, runtime_settings

_NAME = "retention.hold"


def read(connection: Connection) -> Hold | None:
    """The hold that is on, or one that is over and whose pass is still to come."""
    row = runtime_settings.read(connection, _NAME).get(_NAME)
    if row is None:
        return None
    warned = row.get("told", False)  # as it was called in 0.1.0
    return rows.read(Hold, {"warned": warned, **row, "began_at": datetime.fromisoformat(row["began_at"])})


def current(connection: Connection) -> Hold | None:
    """The hold that is on: while there is one, nothing is removed by its age."""
    hold = read(connection)
    return None if hold is None or hold.over else hold


def begin(connection: Connection, reason: str, now: datetime) -> Hold:
    """Begin a hold; one that is on goes on as it is, whatever else happens."""
    hold = read(connection)
    if hold is None or hold.over:
        hold = Hold(reason, now)
        write(connection, hold, now)
    return hold


def write(connection: Connection, hold: Hold, now: datetime) -> None:
    """Keep it as it is now."""
    row = {**attrs.asdict(hold), "began_at": hold.began_at.isoformat()}
    runtime_settings.put(connection, _NAME, row, now, None)


def drop(connection: Connection) -> None:
    """Forget it."""
    runtime_settings.drop(connection, [_NAME])
