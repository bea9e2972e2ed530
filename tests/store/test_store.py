"""The writer: shared transactions, each closure's failure its own, nothing told before it is kept."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from outcome import Value
from sqlalchemy import text

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, StoreBusy, StoreTooNew, StoreUnavailable, ThreadExecutor
from actors.store import events as event_rows


async def opened(path, *, executor=None):
    store = Store(path, executor=executor or InlineExecutor(), now=VirtualClock().now)
    await store.open()
    return store


def noting(name):
    def closure(tx):
        tx.emit("noted", None, "c", name=name)
        return name

    return closure


async def numbers(store):
    return [(event.seq, event.data["name"]) for event in await store.read(lambda c: event_rows.after(c, 0))]


async def test_a_closures_result_and_events_come_after_its_commit(tmp_path):
    store = await opened(tmp_path / "db")
    told = []
    store.publish = lambda events: told.extend(event.data["name"] for event in events)
    assert await store.write(noting("a")) == "a"
    assert told == ["a"]
    await store.aclose()


async def test_closures_that_wait_together_share_a_transaction_and_fail_alone(tmp_path):
    store = await opened(tmp_path / "db", executor=ThreadExecutor(1))
    groups = []
    store.publish = lambda events: groups.append(len(events))
    results = {}

    def failing(tx):
        noting("lost")(tx)
        raise ValueError("no")

    async def write(name, closure):
        try:
            results[name] = await store.write(closure)
        except ValueError as error:
            results[name] = str(error)

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(write, number, failing if number % 10 == 5 else noting(number))
    assert results == {number: "no" if number % 10 == 5 else number for number in range(30)}
    found = await numbers(store)
    assert [seq for seq, _ in found] == list(range(1, 28))
    assert sorted(name for _, name in found) == [n for n in range(30) if n % 10 != 5]
    assert len(groups) < 27  # some shared one
    await store.aclose()


async def test_what_a_closure_leaves_is_for_the_very_next_one_of_its_transaction(tmp_path):
    store = await opened(tmp_path / "db", executor=ThreadExecutor(1))
    seen = []

    def closure(number):
        def run(tx):
            seen.append((tx, number, tx.left()))
            if number % 4 != 1:
                tx.leave(number)
            if number % 4 == 2:
                raise ValueError("no")

        return run

    async def write(number):
        with suppress(ValueError):
            await store.write(closure(number))

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(write, number)
    pairs = [(one, other) for one, other in pairwise(seen) if one[0] is other[0]]
    assert len(pairs) > 20
    for (_, before, _), (_, _, left) in pairs:
        assert left == (before if before % 4 in (0, 3) else None)
    assert all(left is None for (one, _, _), (tx, _, left) in pairwise(seen) if one is not tx)
    await store.aclose()


async def test_closures_written_together_run_in_order_under_their_own_ids_and_fail_alone(tmp_path):
    store = await opened(tmp_path / "db")
    groups = []
    store.publish = lambda events: groups.append([event.data["name"] for event in events])
    seen = []

    def closure(name):
        def run(tx):
            seen.append((name, tx.correlation_id, tx.last_event()))
            noting(name)(tx)
            if name == "bad":
                raise ValueError("no")
            return name

        return run

    outcomes = await store.write_together([(f"id-{name}", closure(name)) for name in ("a", "bad", "b")])
    assert seen == [("a", "id-a", 0), ("bad", "id-bad", 1), ("b", "id-b", 1)]
    assert [isinstance(outcome, Value) for outcome in outcomes] == [True, False, True]
    assert groups == [["a", "b"]]
    await store.aclose()


async def test_closures_written_together_but_cancelled_before_their_turn_are_never_run(tmp_path):
    store = await opened(tmp_path / "db")

    async def other(*, task_status):
        async with store._turn:
            task_status.started()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(other)
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.write_together([("", noting("a")), ("", noting("b"))])
        nursery.cancel_scope.cancel()
    await store.write(noting("c"))
    assert await numbers(store) == [(1, "c")]
    await store.aclose()


async def test_a_commit_that_fails_fails_every_caller_of_its_group_and_tells_nothing(tmp_path, monkeypatch):
    store = await opened(tmp_path / "db")
    told = []
    store.publish = told.extend

    def poison(tx):
        tx.connection.exec_driver_sql("SELECT * FROM no_such_table")

    failures = []

    async def write(closure):
        try:
            await store.write(closure)
        except Exception as error:
            failures.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, noting("a"))
        nursery.start_soon(write, poison)
        nursery.start_soon(write, noting("b"))
    assert len(failures) >= 2
    assert len(await numbers(store)) == len(told)
    assert await store.write(noting("after")) == "after"
    await store.aclose()


async def test_an_event_that_is_no_json_fails_its_transaction_and_no_later_one(tmp_path):
    store = await opened(tmp_path / "db")
    with pytest.raises(Exception, match="not JSON serializable"):
        await store.write(lambda tx: tx.emit("noted", None, "c", name=object()))
    assert await store.write(noting("after")) == "after"
    assert await numbers(store) == [(1, "after")]
    await store.aclose()


async def test_a_caller_cancelled_before_its_turn_is_never_run(tmp_path):
    store = await opened(tmp_path / "db")
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.write(noting("never"))
    assert scope.cancelled_caught
    assert await numbers(store) == []
    await store.aclose()


async def test_the_files_belong_to_their_owner_alone(tmp_path):
    store = await opened(tmp_path / "db")
    await store.write(noting("a"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    await store.aclose()


async def test_what_was_acknowledged_was_synced(tmp_path):
    store = await opened(tmp_path / "db")
    assert await store.write(lambda tx: tx.connection.execute(text("PRAGMA synchronous")).scalar_one()) == 2
    assert await store.write(lambda tx: tx.connection.execute(text("PRAGMA journal_mode")).scalar_one()) == "wal"
    await store.aclose()


async def test_the_writer_undoes_statements_in_memory_and_readers_sort_in_files(tmp_path):
    store = await opened(tmp_path / "db")
    asked = text("PRAGMA temp_store")
    assert await store.write(lambda tx: tx.connection.execute(asked).scalar_one()) == 2
    assert await store.read(lambda connection: connection.execute(asked).scalar_one()) == 0
    await store.aclose()


async def test_a_foreign_lock_is_waited_for_a_bounded_number_of_times(tmp_path, monkeypatch):
    monkeypatch.setattr("actors.store.dialect.BUSY_TIMEOUT_MS", 10)
    store = await opened(tmp_path / "db")
    foreign = sqlite3.connect(tmp_path / "db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="held by another process"):
        await store.write(noting("a"))
    foreign.execute("ROLLBACK")
    foreign.close()
    assert await store.write(noting("b")) == "b"
    await store.aclose()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4080])
async def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    (tmp_path / "db").write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged or no database of ours"):
        await opened(tmp_path / "db")


async def test_somebody_elses_database_is_left_alone(tmp_path):
    foreign = sqlite3.connect(tmp_path / "db")
    foreign.execute("CREATE TABLE cats (name TEXT)")
    foreign.commit()
    foreign.close()
    with pytest.raises(StoreUnavailable, match="not Greenroom's"):
        await opened(tmp_path / "db")


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    store = await opened(tmp_path / "db")
    await store.write(lambda tx: tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    await store.aclose()
    with pytest.raises(StoreTooNew, match="upgrade Greenroom"):
        await opened(tmp_path / "db")


async def test_a_full_database_is_told_as_a_full_disk_and_keeps_nothing(tmp_path):
    """SQLite's own page limit gives the same error as a full disk."""
    store = await opened(tmp_path / "db")
    await store.write(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count = 60").scalar())

    def large(tx):
        for _ in range(100):
            tx.emit("noted", None, "c", name="x" * 10_000)

    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await store.write(large)
    assert ["the disk is full" in trouble for trouble in store.troubles] == [True]
    assert await numbers(store) == []
    assert await store.write(noting("small")) == "small"
    assert store.troubles == ()
    await store.aclose()


async def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        await opened(tmp_path / "file" / "db")
