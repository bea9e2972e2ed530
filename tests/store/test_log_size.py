"""The write-ahead log is small again soon after a reader elsewhere let it go, and somebody is told while it grows."""

from __future__ import annotations

import sqlite3

import pytest
import trio
from sqlalchemy import text

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, ThreadExecutor, log_size
from actors.store.log_size import LONG, LOOK, SMALL, LogSize

ROW = "x" * 100_000


@pytest.fixture
async def store(tmp_path):
    store = Store(tmp_path / "db", executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    yield store
    with trio.CancelScope(shield=True):
        await store.aclose()


@pytest.fixture
def reader(tmp_path):
    """Somebody else's ``sqlite3`` with an open transaction."""
    connection = sqlite3.connect(tmp_path / "db", isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def begin(reader):
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM jobs").fetchall()


async def fill(store, number_of_bytes):
    statement = text("INSERT OR REPLACE INTO settings (name, value, changed_at) VALUES (:name, :value, 0)")
    for number in range(number_of_bytes // len(ROW) + 1):
        row = {"name": f"filling-{number % 7}", "value": f'"{ROW}"'}
        await store.write(lambda tx, row=row: tx.connection.execute(statement, row))


def size_of(store):
    log = store.path.with_name("db-wal")
    return log.stat().st_size if log.exists() else 0


async def test_the_log_is_small_again_after_a_reader_elsewhere_has_ended(store, reader, autojump_clock):
    begin(reader)
    await fill(store, 3 * LONG)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.keep_log_small)
        await trio.sleep(10 * LOOK)
        assert size_of(store) > 3 * LONG, "what the reader may still need was thrown away"
        assert store.log_bytes == size_of(store)
        reader.execute("ROLLBACK")
        await trio.sleep(2.5 * LOOK)
        assert size_of(store) == store.log_bytes == 0
        nursery.cancel_scope.cancel()
    assert (await store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM settings").scalar())) == 7


async def test_a_busy_writer_shortens_the_log_by_itself_once_the_reader_has_ended(store, reader):
    begin(reader)
    await fill(store, 3 * LONG)
    reader.execute("ROLLBACK")
    await fill(store, LONG)
    assert size_of(store) < 2 * LONG


async def test_a_reader_that_stays_costs_the_writer_no_time_and_cuts_nothing(store, reader):
    """A checkpoint that waited for the reader would hold the writer's lock, or sit out the busy time-out."""
    await fill(store, 2 * LONG)
    begin(reader)
    await fill(store, SMALL)
    statements = []
    log = LogSize(store.path)
    log.look()
    before = size_of(store)
    await store.write(lambda tx: statements.append(1))
    log.look()
    log.look()
    assert (statements, size_of(store)) == ([1], before)


async def test_a_small_log_is_left_alone(store):
    await fill(store, SMALL // 4)
    before = size_of(store)
    log = LogSize(store.path)
    for _ in range(3):
        log.look()
    assert size_of(store) == before > 0


async def test_it_works_in_a_thread_of_its_own_never_in_the_event_loop_or_the_writers(tmp_path, monkeypatch):
    ran = []

    class Recorded(ThreadExecutor):
        async def run(self, function):
            ran.append(function.__name__)
            return await super().run(function)

    monkeypatch.setattr("actors.store.store.LOOK", 0.0)
    looked = trio.Event()
    token = trio.lowlevel.current_trio_token()
    monkeypatch.setattr(LogSize, "look", lambda self: token.run_sync_soon(looked.set))
    writer = ThreadExecutor(1)
    store = Store(tmp_path / "db", executor=writer, now=VirtualClock().now, housekeeping=Recorded(1))
    await store.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.keep_log_small)
        with trio.fail_after(60):
            await looked.wait()
        nursery.cancel_scope.cancel()
    assert ran
    await store.aclose()


async def test_a_log_that_grows_is_a_reason_to_look_and_says_what_to_do(store, reader, monkeypatch):
    monkeypatch.setattr(log_size, "UNHEALTHY", 2 * LONG)
    assert store.reasons == ()
    begin(reader)
    await fill(store, 2 * LONG)
    store._log.look()
    assert ["write-ahead log" in reason and "another program" in reason for reason in store.reasons] == [True]
    reader.execute("ROLLBACK")
    store._log.look()
    assert store.reasons == ()


async def test_the_log_is_moved_beside_the_writer(store, monkeypatch):
    """A commit has nothing left to move then, however much was written."""
    await fill(store, LONG // 2)
    await store.move_log()
    log = sqlite3.connect(f"file:{store.path}?mode=rw", uri=True)
    busy, frames, moved = log.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    log.close()
    assert (busy, frames - moved) == (0, 0)
    before = size_of(store)
    await fill(store, LONG // 2)
    assert size_of(store) == before, "the writer began the log anew"
