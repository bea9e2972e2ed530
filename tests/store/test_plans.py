"""One look at the queue reads no entry that merely waits: held by the plans of its statements, not by a stopwatch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, lanes, queue

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LOOKS = {
    "outlook": queue.outlook,
    "release_due": lambda connection: queue.release_due(connection, NOW),
    "running": queue.running,
    "lanes": lanes.read,
}


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
