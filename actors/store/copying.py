"""A consistent copy of a database to which others write meanwhile: all that was committed when it began, and
nothing in part.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import orjson

from actors.store import integrity, wal
from actors.store.errors import StoreUnavailable
from actors.store.restored import INSTANCE, RESTORE

_WAIT = 30.0
"""Seconds to wait for a lock that another process holds."""


@attrs.frozen
class Copied:
    """What a copy contains. ``revision``: that of its schema. ``instance_id``: that of the runtime, None if it had
    none yet. ``original_instance``: that of the runtime from whose backup it was restored.
    """

    revision: str
    instance_id: str | None
    jobs: int
    active_jobs: int
    original_instance: str | None = None


def copy(database: Path, into: Path) -> Copied:
    """Copy ``database`` into the new file ``into`` (0600), by SQLite's backup interface, in one step: one snapshot.

    Raises :class:`StoreUnavailable` if it cannot be read, is damaged, or there is no room for the copy.
    """
    os.close(os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with (
            integrity.readable(database) as (path, uri),
            wal.checked(path),
            closing(sqlite3.connect(uri, uri=True, timeout=_WAIT)) as source,
            closing(sqlite3.connect(into, isolation_level=None)) as target,
        ):
            target.execute("PRAGMA synchronous=OFF")  # a copy that a power cut meets is thrown away
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        return examine(into)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{database} cannot be copied: {error}") from error


def examine(database: Path) -> Copied:
    """The content of a copy to which nobody writes. Raises :class:`StoreUnavailable` if it is damaged, or no
    database of ours.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(database))}?mode=ro", uri=True)) as connection:
            if (found := [str(line) for (line,) in connection.execute("PRAGMA quick_check(3)")]) != ["ok"]:
                raise StoreUnavailable(f"the database is damaged: {'; '.join(found)}")
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
            (jobs,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
            query = "SELECT count(*) FROM queue_entries WHERE status IN ('pending','blocked','running')"
            (active,) = connection.execute(query).fetchone()
            query = "SELECT name, value FROM settings WHERE name IN (?, ?)"
            settings = dict(connection.execute(query, (INSTANCE, RESTORE)).fetchall())
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database is damaged, or none of Greenroom's: {error}") from error
    restore = _stored(settings.get(RESTORE))
    original = restore.get("original_instance") if isinstance(restore, dict) else None
    instance = _stored(settings.get(INSTANCE))
    return Copied(str(revision), _text(instance), int(jobs), int(active), _text(original))


def _stored(value: Any) -> Any:
    """Return what a row of the settings has; None where it is damaged."""
    try:
        return orjson.loads(value)["value"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _text(found: Any) -> str | None:
    return found if isinstance(found, str) else None
