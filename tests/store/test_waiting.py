"""Pages of what waits: in the scheduler's order as of one instant, each entry in its place, however many there are."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors.jobs import maxima
from actors.jobs.levels import HIGHEST_OVERRIDE, effective_priority
from actors.jobs.records import Job, JobRequest, JobStatus, QueueEntry, QueueStatus
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, jobs, queue, waiting

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)


def entries(number: int, seed: int) -> list[tuple[QueueEntry, JobRequest]]:
    """Entries of every kind that waits, with awkward ages: exact hours, the same moment twice, after now."""
    draw = random.Random(seed)
    made = []
    for index in range(number):
        age = draw.choice([0, -5, 1, 3599.999999, 3600, 7200, 14_400, 90_000, draw.uniform(0, 20_000)])
        made.append(
            (
                QueueEntry(
                    job_id=f"job{index:04}", status=draw.choice([QueueStatus.PENDING] * 3 + [QueueStatus.BLOCKED]),
                    base_priority=draw.choice([0, 10, 20, 30]),
                    priority_override=draw.choice([None, None, 0, 35, 40, HIGHEST_OVERRIDE]),
                    queued_at=NOW - timedelta(seconds=age), queued_seq=index,
                ),
                JobRequest(user_id=draw.choice(["ana", "bo"])),
            )
        )  # fmt: skip
    return made


def in_order(made: list[tuple[QueueEntry, JobRequest]], now: datetime) -> list[QueueEntry]:
    def key(entry: QueueEntry) -> Any:
        priority = effective_priority(entry.base_priority, entry.priority_override, entry.queued_at, now)
        return (entry.status is QueueStatus.BLOCKED, -priority, entry.queued_at, entry.queued_seq)

    return sorted((entry for entry, _ in made), key=key)


async def filled(made: list[tuple[QueueEntry, JobRequest]]) -> Store:
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()

    def fill(tx: Any) -> None:
        rows = [Job(one.job_id, JobStatus.PENDING, "local", "c", asked, NOW, NOW) for one, asked in made]
        jobs.add(tx.connection, rows)
        queue.add(tx.connection, [queue.to_row(one, queue.owner_of(asked)) for one, asked in made])

    await store.write(fill)
    return store


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=30), timedelta(hours=3)])
@pytest.mark.parametrize("seed", range(5))
async def test_the_order_is_the_schedulers_as_of_the_first_page(seed: int, later: timedelta) -> None:
    """Page by page, each page asked for at a later time; with places, everybody's and one user's."""
    made = entries(60, seed)
    store = await filled(made)
    expected = in_order(made, NOW)
    places = {one.job_id: place for place, one in enumerate(expected)}
    owners = {entry.job_id: asked.user_id for entry, asked in made}
    for user in (None, "ana"):
        seen: list[waiting.Waiting] = []
        now, after, more = NOW, None, True
        while more:

            def page(connection: Any, now: datetime = now, after: Any = after) -> Any:
                return waiting.page(connection, now, 7, user_id=user, after=after)

            found, more = await store.read(page)
            seen += found
            now, after = now + later, found[-1].spot
        wanted = [one for one in expected if user is None or owners[one.job_id] == user]
        assert [one.job_id for one in seen] == [one.job_id for one in wanted]
        blocked = {entry.job_id for entry, _ in made if entry.status is QueueStatus.BLOCKED}
        assert [one.ahead for one in seen] == [
            None if one.job_id in blocked else places[one.job_id] for one in wanted
        ]  # fmt: skip
    await store.aclose()


async def test_a_page_is_bounded_in_bytes_and_never_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is larger than a page is a page of its own."""
    monkeypatch.setattr(maxima, "ANSWER", 1000)
    made = entries(6, 1)
    store = await filled([(entry, JobRequest(user_id="ana", config_name="x" * 2000)) for entry, _ in made])
    after, more, sizes = None, True, []
    while more:
        found, more = await store.read(lambda connection, after=after: waiting.page(connection, NOW, 5, after=after))
        sizes.append(len(found))
        after = found[-1].spot
    assert sizes == [1] * 6
    await store.aclose()


@pytest.mark.parametrize(
    ("look", "index"),
    [
        (lambda connection: queue.number_waiting(connection, "ana"), "entries_(waiting_by_user|held)"),
        (queue.oldest_waiting, "entries_waiting"),
        (lambda connection: waiting.page(connection, NOW, 10), "entries_waiting"),
    ],
)
async def test_what_has_ended_is_not_looked_through(look: Any, index: str) -> None:
    """Held by the plan of the statement, not by a stopwatch."""
    store = await filled(entries(5, 1))

    def steps(tx: Any) -> list[str]:
        driver = tx.connection.connection.driver_connection
        statements: list[str] = []
        driver.set_trace_callback(statements.append)
        look(tx.connection)
        driver.set_trace_callback(None)
        return [row[3] for one in statements for row in driver.execute(f"EXPLAIN QUERY PLAN {one}")]

    touched = [step for step in await store.write(steps) if "queue_entries" in step]
    assert touched
    assert all(re.search(f"INDEX {index}", step) for step in touched)
    await store.aclose()
