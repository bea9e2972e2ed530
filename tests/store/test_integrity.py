"""A flipped byte in the database file: refused, found by a whole look, or without effect on how many rows there are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store
from actors.store.integrity import faults

PAGE = 4096
ROWS = 60


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """Closed in order: all of it is in the one file."""
    store = Store(tmp_path / "db", executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    for number in range(ROWS):
        await store.write(lambda tx, number=number: tx.emit("noted", f"job-{number}", "c", filling="x" * 200))
    await store.aclose()
    return tmp_path / "db"


def rows_in(path: Path) -> int | None:
    """How many events a reader finds; None: it is told of an error."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return len(connection.execute("SELECT * FROM events").fetchall())
    except sqlite3.Error:
        return None


async def test_a_whole_database_has_no_faults(database):
    assert faults(database) == []


async def test_counts_that_are_not_the_rows_are_found(database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO status_counts VALUES ('jobs', 'failed', 3)")
    assert faults(database) == ["0 rows of jobs are failed, and 3 are counted"]


async def test_no_flipped_byte_in_the_structure_of_a_page_loses_rows_unseen(database):
    """The head of every page and the places of its first rows: kind, free space, how many rows, and where they are."""
    content = database.read_bytes()
    outcomes: Counter[str] = Counter()
    for page in range(len(content) // PAGE):
        for byte in (0, 1, 3, 4, 5, 8, 9, 12):
            damaged = bytearray(content)
            damaged[page * PAGE + byte + (100 if page == 0 else 0)] ^= 0x05
            database.write_bytes(damaged)
            seen, found = rows_in(database), faults(database)
            assert found or seen == ROWS, f"{seen} rows, and nobody said anything: page {page}, byte {byte}"
            outcomes["refused" if seen is None else "rows are missing" if seen != ROWS else "rows are there"] += 1
    assert outcomes["refused"]
    assert outcomes["rows are missing"], "no flip ever lost a row, so nothing was shown"


async def test_looking_changes_nothing_that_is_kept(database):
    """SQLite leaves an empty log and an index beside the file, as every reader does."""
    before = database.read_bytes()
    faults(database)
    assert database.read_bytes() == before
    assert database.with_name("db-wal").read_bytes() == b""


async def test_a_log_that_lost_its_end_is_a_fault_and_stays_as_it_is(database):
    log = database.with_name("db-wal")
    log.write_bytes(b"no header of a log, and more than that")
    (fault,) = faults(database)
    assert "damaged at byte 0" in fault
    assert log.read_bytes().startswith(b"no header")
