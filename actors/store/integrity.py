"""A whole look at a database, for a person who asks: SQLite keeps no checksum of its pages, but it can compare them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from actors.store import wal
from actors.store.errors import StoreUnavailable

_MOST_NAMED = 3


def faults(database: Path) -> list[str]:
    """What is wrong with the file and its write-ahead log, a few at the most; reads all of it and changes nothing.

    Finds broken structure, and indexes that differ from their tables; a flipped byte inside a value is not found.
    """
    try:
        wal.check(database)  # first: SQLite would take what it can and say nothing of the rest
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(database))}?mode=ro", uri=True)) as connection:
            found = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_NAMED})")]
    except (StoreUnavailable, sqlite3.Error) as error:
        return [str(error)]
    return [] if found == ["ok"] else found
