"""Keeps SQLite's write-ahead log small.

SQLite moves the log into the database after a commit, but only up to what the oldest reader still needs, and it never
makes the file shorter while the database is open. So a reader elsewhere (a forgotten ``sqlite3`` with an open
transaction) makes the log grow, and without this it would stay that long until the stop. This code runs beside the
writer on a connection of its own. It moves what can be moved, which delays no writer, and truncates the file only when
nothing is left to move; that needs the writer's lock for a moment, and is given up at once if anybody reads.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from urllib.parse import quote

from actors.store import wal

LOOK = 5.0
"""Seconds between two looks at the log."""

SMALL = 1 << 20
"""Bytes that are left alone: what a start reads in an instant, and a busy writer soon writes again."""

LONG = 4 << 20
"""Bytes above which it is shortened while the writer works, too; SQLite itself moves the log at this size."""

UNHEALTHY = 64 << 20
"""Bytes above which somebody should look who holds the log."""

_MIB = 1 << 20


class LogSize:
    """The log beside ``database``. ``bytes``: how long it was when last looked at."""

    def __init__(self, database: Path) -> None:
        self.bytes = 0
        self._changed = 0
        self._database = database
        self._log = wal.log_of(database)

    def look(self) -> None:
        """Look, and shorten the log where that is worth it; for a worker thread.

        An error is left to the writer, which meets it too and reports it.
        """
        with suppress(OSError, sqlite3.Error):
            before = self._changed
            self._measure()
            idle = before == self._changed
            if self.bytes > (SMALL if idle else LONG):
                self._shorten()
                self._measure()

    def move(self) -> None:
        """Move what can be moved, which delays no writer; for a worker thread. Errors: as in :meth:`look`."""
        with suppress(sqlite3.Error), self._connected() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _measure(self) -> None:
        try:
            found = self._log.stat()
        except FileNotFoundError:
            self.bytes = 0
            return
        self.bytes, self._changed = found.st_size, found.st_mtime_ns

    def _shorten(self) -> None:
        with self._connected() as connection:
            busy, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if not busy and frames == moved:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connected(self) -> AbstractContextManager[sqlite3.Connection]:
        database = f"file:{quote(os.fsencode(self._database))}?mode=rw"
        return closing(sqlite3.connect(database, uri=True, timeout=0, isolation_level=None))

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why somebody should look; empty where all is well."""
        if self.bytes <= UNHEALTHY:
            return ()
        held = "another program keeps a transaction open on the database; end it (fuser names who has the file open)"
        return (f"the write-ahead log {self._log} has grown to {self.bytes // _MIB} MiB: {held}",)
