"""What is flipped in the write-ahead log is refused or reported, and what a crash leaves there is neither."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from actors.kernel import VirtualClock
from actors.store import Store, StoreUnavailable, ThreadExecutor, wal

ROWS = 6
PAGE = 4096
FRAME = 24 + PAGE


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A database as a killed process leaves it: every row in a transaction of its own, all of them in the log."""
    connection = sqlite3.connect(tmp_path / "live", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE rows (number, filling)"):
        connection.execute(statement)
    for number in range(ROWS):
        connection.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 1500))
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"live{suffix}", tmp_path / f"db{suffix}")
    connection.close()
    return tmp_path / "db"


def check(database: Path) -> None:
    with wal.checked(database):
        pass


def log_of(database: Path) -> Path:
    return database.with_name("db-wal")


def rows_in(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT count(*) FROM rows").fetchone()[0])
    except sqlite3.OperationalError:  # not even the table
        return 0
    finally:
        connection.close()


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x10
    path.write_bytes(content)


def test_a_log_that_was_written_whole_is_neither_refused_nor_reported(killed, caplog):
    check(killed)
    assert caplog.records == []
    assert rows_in(killed) == ROWS


def test_a_database_that_was_closed_in_order_has_none(tmp_path):
    assert wal.examine(tmp_path / "db-wal") is None


def test_no_flipped_byte_in_the_log_loses_rows_in_silence(killed, caplog):
    """In every frame: header, salts, checksum and page. The same bytes lose up to every row when only SQLite looks."""
    content = log_of(killed).read_bytes()
    database = killed.read_bytes()
    frames = len(content) // FRAME
    least = ROWS
    places = [4, 17, *(32 + frame * FRAME + byte for frame in range(frames) for byte in (0, 9, 18, 24, 2000))]
    for place in places:
        killed.write_bytes(database)
        log_of(killed).write_bytes(content)
        flip(log_of(killed), place)
        caplog.clear()
        try:
            check(killed)
            told = bool(caplog.records)
        except StoreUnavailable:
            told = True
        left = rows_in(killed)
        assert told or left == ROWS or place in last_salts(frames), f"{left} rows after byte {place} was flipped"
        least = min(least, left)
    assert least == 0, "nothing was ever lost, so nothing was shown"


def last_salts(frames: int) -> range:
    """What makes the very last frame one of this log: without it, it cannot be told from a former log's."""
    last = 32 + (frames - 1) * FRAME
    return range(last + 8, last + 16)


def test_a_refusal_touches_nothing_and_says_how_to_go_on(killed):
    flip(log_of(killed), 32 + 5 * FRAME + 100)
    before, database = log_of(killed).read_bytes(), killed.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"damaged at byte (\d+).*truncate --size=\1 "):
        check(killed)
    assert log_of(killed).read_bytes() == before
    assert killed.read_bytes() == database
    with log_of(killed).open("r+b") as log:
        log.truncate(32 + 5 * FRAME)
    check(killed)
    assert 0 < rows_in(killed) < ROWS


async def test_the_store_refuses_to_open_on_it(killed):
    flip(log_of(killed), 32 + 5 * FRAME + 100)
    store = Store(killed, executor=ThreadExecutor(1), now=VirtualClock().now)
    with pytest.raises(StoreUnavailable, match="committed changes behind it"):
        await store.open()


def test_a_last_transaction_that_was_torn_is_reported_and_no_more(killed, caplog):
    """As a power cut leaves it: its last frame got to the disk, another one of it did not."""
    log = log_of(killed)
    frames = len(log.read_bytes()) // FRAME
    flip(log, 32 + (frames - 1) * FRAME + 500)
    check(killed)
    (record,) = caplog.records
    assert "last transaction" in record.getMessage()
    assert rows_in(killed) == ROWS - 1


def test_frames_that_were_never_committed_are_none_of_our_business(killed, caplog):
    """A process that is killed in the middle of a transaction leaves such, half a frame included."""
    log = log_of(killed)
    header = log.read_bytes()[16:24]
    with log.open("ab") as more:
        more.write(struct.pack(">II", 3, 0) + header + b"\0" * 8 + b"\1" * PAGE)
        more.write(b"\2" * 700)
    check(killed)
    assert caplog.records == []
    assert rows_in(killed) == ROWS


def test_a_failed_transaction_behind_a_shorter_one_is_no_acknowledged_one(killed):
    """It has a commit of its own and frames after it; but none was written as that commit's successor."""
    log = log_of(killed)
    salts = log.read_bytes()[16:24]
    with log.open("ab") as more:
        for committed in (0, 9, 0, 9):
            more.write(struct.pack(">II", 3, committed) + salts + b"\0" * 8 + b"\1" * PAGE)
    found = wal.examine(log)
    assert found is not None
    assert not found.acknowledged
    check(killed)
    assert rows_in(killed) == ROWS


def test_a_log_that_is_whole_is_read_once_and_by_sqlite_alone(killed, monkeypatch):
    """A start on 137 MiB of log took seconds: our own reading of every byte, before SQLite's."""
    monkeypatch.setattr(wal, "examine", lambda _log: pytest.fail("the log was read a second time"))
    with wal.checked(killed):
        assert rows_in(killed) == ROWS
    assert rows_in(killed) == ROWS


ABANDONED = """
import fcntl, sys
with open(sys.argv[1], "rb+") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)  # SQLite's lock of those who have the index open
    except BlockingIOError:
        sys.exit(0)
sys.exit("the next process that opens the database takes it for abandoned, and cuts the index")
"""


def test_the_look_at_the_log_gives_up_no_lock_of_those_who_open_the_database_meanwhile(killed):
    """Closing a descriptor of a file gives up all POSIX locks of its process on it: SQLite's, too."""
    with wal.checked(killed):
        connection = sqlite3.connect(killed, isolation_level=None)
        connection.execute("SELECT count(*) FROM rows").fetchone()
    try:
        asked = subprocess.run([sys.executable, "-c", ABANDONED, wal.index_of(killed)], check=False)
        assert asked.returncode == 0
    finally:
        connection.close()
