"""Reading a database that cannot be written, or must not be: a mounted snapshot, a backup, another user's directory, a
database of an older version.

SQLite needs to write beside a database that has a write-ahead log, at least its index. Without a log (and without a
migration) it reads the file as one that nobody changes. With a log, a copy is read, because reading the file alone
would silently lose what is only in the log.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import attrs

from actors.store import wal
from actors.store.errors import StoreUnavailable
from actors.store.revision import NEWEST

_TRIES = 3
"""Times that a copy is begun again because somebody wrote meanwhile, from another machine perhaps."""


@attrs.frozen
class View:
    """Where a database can be read. ``immutable``: in its own place, which nobody writes; else in a copy.

    ``folder``: where something may be written that is needed for reading; it goes with the view.
    """

    database: Path
    immutable: bool
    folder: Path

    @property
    def uri(self) -> str:
        """For :func:`sqlite3.connect` with ``uri=True``."""
        return _immutable(self.database) if self.immutable else f"file:{quote(os.fsencode(self.database))}?mode=ro"


def is_read_only(database: Path) -> bool:
    """Whether this process cannot write the database or beside it."""
    return not (os.access(database, os.W_OK) and os.access(database.parent, os.W_OK | os.X_OK))


@contextmanager
def viewed(database: Path) -> Iterator[View]:
    """A way to read a database in a place that is read-only. Raises :class:`StoreUnavailable`."""
    with TemporaryDirectory(prefix="greenroom-") as name:
        folder = Path(name)
        if not wal.has_frames(wal.log_of(database)) and _is_newest(database):
            yield View(database, immutable=True, folder=folder)
        else:
            yield View(_copied(database, folder), immutable=False, folder=folder)


def _immutable(database: Path) -> str:
    return f"file:{quote(os.fsencode(database))}?mode=ro&immutable=1"


def is_old(database: Path) -> bool:
    """Whether opening the database would migrate or create it; an error of SQLite is left to who opens it.

    Raises :class:`StoreUnavailable` for a damaged log, which may hide of which version the database is.
    """
    uri = f"file:{quote(os.fsencode(database))}?mode=ro"
    try:
        with wal.checked(database), closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "alembic_version" not in tables:
                return not tables
            return bool(connection.execute("SELECT version_num FROM alembic_version").fetchone() != (NEWEST,))
    except sqlite3.Error:
        return False


def _is_newest(database: Path) -> bool:
    """Whether there is nothing to migrate; an error is left to the reader of the database."""
    try:
        with closing(sqlite3.connect(_immutable(database), uri=True)) as connection:
            return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    except sqlite3.Error:
        return False


def _copied(database: Path, folder: Path) -> Path:
    """Database and log as they were at one moment."""
    copy = folder / database.name
    try:
        for _ in range(_TRIES):
            before = _state(database)
            shutil.copyfile(database, copy)
            if (log := wal.log_of(database)).exists():
                shutil.copyfile(log, wal.log_of(copy))
            if _state(database) == before:
                return copy
    except OSError as error:
        raise StoreUnavailable(f"{database} cannot be copied to {folder}: {error}") from error
    raise StoreUnavailable(f"{database} cannot be copied, because somebody else writes it; try again")


def _state(database: Path) -> list[tuple[int, int]]:
    found = [path.stat() for path in (database, wal.log_of(database)) if path.exists()]
    return [(one.st_size, one.st_mtime_ns) for one in found]
