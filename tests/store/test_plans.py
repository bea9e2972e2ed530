"""One look at the queue reads no entry that merely waits: held by the plans of its statements, not by a stopwatch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors.jobs.records import QueueEntry, QueueStatus
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, lanes, queue
from actors.testing import request

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LOOKS = {
    "outlook": queue.outlook,
    "release_due": lambda connection: queue.release_due(connection, NOW),
    "running": queue.running,
    "lanes": lanes.read,
}


async def test_what_one_user_has_waiting_is_counted_without_walking_through_it():
    """By the instructions that SQLite executes: a plan does not say how much of an index is read."""
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    owner = queue.owner_of(request(user_id="ana"))
    rows = [queue.to_row(QueueEntry(f"j{n}", QueueStatus.PENDING, 1, None, NOW, n), owner) for n in range(2_000)]

    def count(transaction):
        queue.add(transaction.connection, rows)
        driver = transaction.connection.connection.driver_connection
        hundreds = []
        driver.set_progress_handler(lambda: hundreds.append(1), 100)
        found = queue.number_waiting(transaction.connection, "ana")
        driver.set_progress_handler(None, 0)
        return found, len(hundreds)

    found, hundreds = await store.write(count)
    assert found == 2_000
    assert hundreds < 3
    await store.aclose()


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
async def test_a_look_at_the_queue_finds_entries_by_an_index_or_not_at_all(look):
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()

    def steps(transaction):
        driver = transaction.connection.connection.driver_connection
        statements = []
        driver.set_trace_callback(statements.append)
        look(transaction.connection)
        driver.set_trace_callback(None)
        assert statements
        return [row[3] for one in statements for row in driver.execute(f"EXPLAIN QUERY PLAN {one}")]

    touched = [step for step in await store.write(steps) if "queue_entries" in step]
    assert [step for step in touched if " INDEX entries_" not in step] == []
    await store.aclose()
