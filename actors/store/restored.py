"""Rows about a restore from a backup: which runtime this is, what it was made of, what is still to be found out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs
from sqlalchemy import Connection, bindparam, func, select, text

from actors.jobs.records import Restored
from actors.store import rows, runtime_settings
from actors.store.dialect import constant
from actors.store.prepared import Prepared
from actors.store.schema import queue_entries

INSTANCE = "instance.id"
RESTORE = "restore.last"


@attrs.frozen
class Restore:
    """The last restore of this database. ``began_at``: when its backup began; ``original``: where that was made."""

    at: datetime
    began_at: datetime
    original: str
    original_instance: str | None = None


def instance_id(connection: Connection) -> str | None:
    """Which runtime this is; None: it has not been started yet."""
    found = runtime_settings.read(connection, INSTANCE).get(INSTANCE)
    return found if isinstance(found, str) else None


def put_instance_id(connection: Connection, new: str, now: datetime) -> None:
    """Be this runtime from now on."""
    runtime_settings.put(connection, INSTANCE, new, now, None)


def last(connection: Connection) -> Restore | None:
    """The last restore; None: this database was never restored."""
    row = runtime_settings.read(connection, RESTORE).get(RESTORE)
    if row is None:
        return None
    moments = {name: datetime.fromisoformat(row[name]) for name in ("at", "began_at")}
    return rows.read(Restore, {**row, **moments})


def put(connection: Connection, restore: Restore, now: datetime) -> None:
    """Keep what this database was restored from."""
    moments = {"at": restore.at.isoformat(), "began_at": restore.began_at.isoformat()}
    runtime_settings.put(connection, RESTORE, {**attrs.asdict(restore), **moments}, now, None)


_ENTRY = queue_entries.c
_THERE = text("queue_entries.restored IS NOT NULL")
_LOOK_UPS = _ENTRY.restored == constant(Restored.LOOK_UP)
_AT = Prepared(select(_ENTRY.job_id).where(_THERE, _LOOK_UPS, _ENTRY.provider == bindparam("provider")))
_COUNTS = Prepared(select(_ENTRY.provider, func.count()).where(_THERE, _LOOK_UPS).group_by(_ENTRY.provider))
_ACTIVE = text("queue_entries.status IN ('pending','blocked')")
_RUNNING = text("queue_entries.status = 'running'")


def to_look_up(connection: Connection, provider: str) -> list[str]:
    """The jobs of this provider that it is still to be asked about."""
    return [job_id for (job_id,) in _AT.all(connection, provider=provider)]


def all_to_look_up(connection: Connection) -> list[str]:
    """The jobs that any provider is still to be asked about."""
    return [job_id for (job_id,) in connection.execute(select(_ENTRY.job_id).where(_THERE, _LOOK_UPS))]


def numbers_to_look_up(connection: Connection) -> dict[str, int]:
    """How many jobs each provider is still to be asked about."""
    return {provider: int(number) for provider, number in _COUNTS.all(connection)}


def active(connection: Connection) -> Sequence[str]:
    """Every job that has not ended."""
    found = [connection.execute(select(_ENTRY.job_id).where(which)).scalars() for which in (_ACTIVE, _RUNNING)]
    return sorted(job_id for some in found for job_id in some)
