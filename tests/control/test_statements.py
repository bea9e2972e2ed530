"""What people read takes a fixed number of statements, however many rows there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from actors.jobs.records import JobRequest
from actors.runtime import RunningRuntime

READS = {
    "stats": lambda runtime: runtime.queue.view(limit=0),
    "queue": lambda runtime: runtime.queue.view(limit=1_000),
    "jobs": lambda runtime: runtime.jobs.page(limit=1_000),
    "jobs of a user": lambda runtime: runtime.jobs.page(limit=1_000, user_id="ana"),
    "a text": lambda runtime: runtime.jobs.page(limit=1_000, text="ana"),
    "a job": lambda runtime: runtime.jobs.page(limit=1),
    "is idle": lambda runtime: runtime.queue.is_idle(),
    "approvals": lambda runtime: runtime.approvals.page(limit=1_000),
}


@contextmanager
def counted(runtime: RunningRuntime) -> Iterator[list[str]]:
    """The statements that run meanwhile, each as often as it runs."""
    statements: list[str] = []
    writer = runtime.ledger.store._writer
    assert writer is not None
    driver = writer.connection.driver_connection
    assert driver is not None
    driver.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        driver.set_trace_callback(None)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_read_takes_as_many_statements_for_ten_entries_as_for_a_thousand(runtime, read) -> None:
    numbers = {}
    await runtime.queue.pause(None, "the entries are to wait", by="ana")
    for wanted, more in ((10, 10), (1_000, 990)):
        await runtime.jobs.submit_many(
            [JobRequest(provider="scripted", user_id="ana", config_name="x.yaml") for _ in range(more)]
        )
        await read(runtime)
        with counted(runtime) as statements:
            await read(runtime)
        numbers[wanted] = len(statements)
    assert numbers[10] == numbers[1_000] > 0, statements
