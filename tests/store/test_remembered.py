"""What the writer remembers is what the rows say: after changes, failures, a stepped clock, and other processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
import trio

from actors.jobs.records import ApprovalRule
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, ThreadExecutor, deaths, gates, holds, rules, runtime_settings, waits
from actors.store.rules import StoredRule

NOW = datetime(2024, 1, 1, tzinfo=UTC)
CLOSED = gates.Gate("p", closed_until=NOW + timedelta(minutes=1), closed_reason="why", closed_seconds=60)
RULE = StoredRule(1001, ApprovalRule("r", "always", rule_id=1001), NOW, None)

CHANGES = {
    "a gate": (gates.read, lambda connection: gates.put(connection, CLOSED)),
    "a rule": (rules.stored, lambda connection: rules.put(connection, RULE)),
    "a setting": (
        lambda connection: runtime_settings.read(connection, "limits."),
        lambda connection: runtime_settings.put(connection, "limits.total", 7, NOW, None),
    ),
    "a death": (deaths.counts, lambda connection: deaths.blame(connection, ["j1"])),
    "a hold": (holds.current, lambda connection: holds.begin(connection, "why", NOW)),
}


async def opened(path, executor=None):
    store = Store(path, executor=executor or InlineExecutor(), now=VirtualClock().now)
    await store.open()
    return store


async def look(store, read):
    """As the writer has it, and as a reader had it before: in memory that is the same connection."""
    of_reader = await store.read(read)
    return await store.write(lambda tx: read(tx.connection)), of_reader


def asked(store):
    """The texts of all statements that the writer executes from now on."""
    found = []
    store._writer.connection.driver_connection.set_trace_callback(found.append)
    return found


@pytest.mark.parametrize(("read", "change"), CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("where", ["file", "memory"])
async def test_a_change_is_seen_at_once_and_one_that_failed_never(tmp_path, read, change, where):
    store = await opened(tmp_path / "db" if where == "file" else None)
    before = await look(store, read)
    assert not before[0]

    def fail(tx):
        change(tx.connection)
        assert read(tx.connection) != before[0]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(fail)
    assert await look(store, read) == before

    def succeed(tx):
        change(tx.connection)
        return read(tx.connection)

    after = await store.write(succeed)
    assert after != before[0]
    assert await look(store, read) == (after, after)
    await store.aclose()


@pytest.mark.parametrize(("read", "change"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_closure_that_failed_leaves_nothing_to_the_next_of_its_transaction(tmp_path, read, change):
    store = await opened(tmp_path / "db", ThreadExecutor(1))
    seen = []

    def fail(tx):
        change(tx.connection)
        read(tx.connection)
        raise ValueError("no")

    def look_at(tx):
        seen.append((tx, read(tx.connection)))

    async def write(closure):
        try:
            await store.write(closure)
        except ValueError:
            seen.append("failed")

    async with trio.open_nursery() as nursery:
        for closure in [look_at, fail] * 10:
            nursery.start_soon(write, closure)
    transactions = [one[0] for one in seen if one != "failed"]
    assert len(set(map(id, transactions))) < len(transactions)  # some stood in one transaction
    assert not any(one[1] for one in seen if one != "failed")
    await store.aclose()


@pytest.mark.parametrize(("read", "change"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_by_another_process_is_seen_by_the_next_transaction(tmp_path, read, change):
    store, other = await opened(tmp_path / "db"), await opened(tmp_path / "db")
    assert not (await look(store, read))[0]
    await other.write(lambda tx: change(tx.connection))
    assert (await look(store, read))[0]
    await store.aclose()
    await other.aclose()


async def test_a_closed_provider_moves_with_the_clock_in_what_is_remembered_too(tmp_path):
    store = await opened(tmp_path / "db")
    await store.write(lambda tx: gates.put(tx.connection, CLOSED))
    await look(store, gates.read)
    hour = timedelta(hours=1)
    await store.write(lambda tx: waits.shift(tx.connection, hour, NOW + hour))
    moved = attrs.evolve(CLOSED, closed_until=CLOSED.closed_until + hour)
    assert await look(store, gates.read) == ({"p": moved}, {"p": moved})
    await store.write(lambda tx: waits.bound(tx.connection, NOW))
    assert await look(store, gates.read) == ({"p": CLOSED}, {"p": CLOSED})
    await store.aclose()


async def test_what_nobody_changed_is_read_once(tmp_path):
    store = await opened(tmp_path / "db")
    await look(store, gates.read)
    texts = asked(store)
    for _ in range(3):
        await store.write(lambda tx: (gates.read(tx.connection), gates.read(tx.connection), tx.next_order()))
    assert [text for text in texts if "provider_gates" in text] == []
    assert len([text for text in texts if "FROM counters" in text]) == 3  # once a transaction
    await store.aclose()


async def test_order_numbers_grow_from_one_transaction_to_the_next_even_if_neither_has_an_event(tmp_path):
    """Two transactions of one instant release the jobs that waited for a third: they start in the order of release."""
    store = await opened(tmp_path / "db")
    numbers = [number for _ in range(3) for number in await store.write(lambda tx: [tx.next_order(), tx.next_order()])]
    assert numbers == sorted(set(numbers))
    await store.aclose()


async def test_a_commit_that_fails_leaves_nothing_remembered(tmp_path):
    store = await opened(tmp_path / "db")
    await store.write(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count = 60").scalar())

    def fill(tx):
        gates.put(tx.connection, CLOSED)
        gates.read(tx.connection)
        for _ in range(100):
            tx.emit("noted", None, "c", name="x" * 10_000)

    with pytest.raises(Exception, match="disk is full"):
        await store.write(fill)
    assert await look(store, gates.read) == ({}, {})
    await store.aclose()
