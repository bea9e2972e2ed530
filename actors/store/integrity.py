"""A full check of a database, at a person's request: SQLite has no checksums of its pages, but it can compare them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from actors.store import derived, read_only, wal
from actors.store.errors import StoreUnavailable

_MOST_NAMED = 3


def faults(database: Path) -> list[str]:
    """What is wrong with the file and its write-ahead log, a few at the most; reads all of it and changes nothing.

    Finds broken structure, indexes that differ from their tables, and counts by status that are not those of the rows;
    a flipped byte inside a value is not found.
    """
    try:
        with (
            readable(database) as (path, uri),
            wal.checked(path),  # first: SQLite would take what it can and say nothing of the rest
            closing(sqlite3.connect(uri, uri=True)) as connection,
        ):
            found = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_NAMED})")]
            return [*derived.miscounted(connection)] if found == ["ok"] else found
    except (StoreUnavailable, sqlite3.Error) as error:
        return [str(error)]


@contextmanager
def readable(database: Path) -> Iterator[tuple[Path, str]]:
    """Where a database is read, and the address for :func:`sqlite3.connect`. Raises :class:`StoreUnavailable`."""
    if not read_only.is_read_only(database):
        yield database, f"file:{quote(os.fsencode(database))}?mode=ro"
        return
    with read_only.viewed(database) as view:
        yield view.database, view.uri
