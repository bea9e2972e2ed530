"""A column of the wrong SQL type in one row is that row's fault alone: no list fails, and no actor stops."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from itertools import product
from typing import Any

import attrs
import pytest
import trio
from sqlalchemy import Column, Connection, Table, text
from sqlalchemy.exc import IntegrityError
from trio.testing import MockClock

from actors.jobs.approval_rules import DEFAULT_RULES
from actors.jobs.selections import Selection
from actors.jobs.views import JobOrder, JobSort
from actors.kernel import VirtualClock
from actors.ledger import queries
from actors.providers.scripted import ScriptedRemote
from actors.runtime import RunningRuntime
from actors.store import rows
from actors.store.schema.metadata import metadata
from actors.store.types import UTCDateTime
from actors.testing import request
from tests.actors.notifier_lab import Lab
from tests.notification_fixtures import Targets
from tests.runtime_fixtures import World

LONG = 100_000
NOT_UTF8 = "CAST(X'ff' AS TEXT)"
OF_JOBS = ("jobs", "queue_entries", "submissions", "dependencies", "approvals", "lanes", "series")
COUNTED = ("counters", "status_counts")
"""Tables that triggers keep: what is wrong in them, `greenroom doctor` finds."""
TABLES = [table for table in metadata.sorted_tables if table.name not in COUNTED]


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_reported", set())


def wrong_for(column: Column[Any]) -> tuple[str, ...]:
    """What does not belong into ``column``, as SQL."""
    return ("'x'", "9000000000000000000") if isinstance(column.type, UTCDateTime) else ("'x'", "X'ff00'", NOT_UTF8)


async def populate(runtime: RunningRuntime) -> None:
    """At least one row of most tables, and at least one job in each state."""
    for name in ("e1", "e2"):
        known: dict[str, Any] = {"group": "g", "config_name": name, "notify": ("chat",)}
        await runtime.submit(request(duration=1, series={"loss": [1, 2, 3]}, progress=2, **known))
    await trio.sleep(5)
    await runtime.submit(request(duration=LONG, user_id="r", progress=3))
    await runtime.submit(request(duration=LONG, user_id="q", queue_time=LONG, waiting_reason="busy"))
    parent = await runtime.submit(request(duration=LONG, user_id="w"))
    await runtime.submit(request(duration=LONG, requires_approval="look"))
    await runtime.queue.pause("scripted", "for the night")
    await runtime.submit(request(duration=LONG, user_id="p"))
    await runtime.submit(request(duration=LONG, after=(parent.job_id,)))
    await runtime.submit(request(duration=LONG, start_after="+2h"))
    _, secret = await runtime.access.create_token(user_id="u", level="admin")
    await runtime.access.sign_in_with_token(secret, timedelta(days=1))
    for rule in DEFAULT_RULES:
        await runtime.rules.add(attrs.evolve(rule, rule_id=None))
    await runtime.queue.set_limit("per_user", 7)
    await trio.sleep(4)  # no look at the queue is due at this moment


def lists_of(runtime: RunningRuntime, table: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What reads many rows at once, for people and for actors, as far as it may read ``table``."""
    jobs: dict[str, Callable[[], Awaitable[Any]]] = {
        "jobs": runtime.jobs.page,
        "jobs by name": lambda: runtime.jobs.page(order=JobOrder(JobSort.NAME)),
        "jobs by end": lambda: runtime.jobs.page(order=JobOrder(JobSort.ENDED, descending=True)),
        "jobs with a text": lambda: runtime.jobs.page(text="e1x"),
        "queue": runtime.queue.view,
        "approvals": runtime.approvals.page,
        "group": lambda: runtime.series.compare("g", "ana"),
        "selection": lambda: runtime.selections.cancel(Selection(user_id="ana"), dry_run=True),
        "activity": runtime.queue.activity,
        "providers": runtime.providers.views,
        "metrics": runtime.metrics.scrape,
        "in flight": lambda: runtime.ledger.read(queries.in_flight_at, "scripted"),
    }
    others: dict[str, Callable[[], Awaitable[Any]]] = {
        "jobs": runtime.jobs.page,
        "queue": runtime.queue.view,
        "limits": runtime.queue.limits,
        "events": runtime.event_reader.past_events,
        "notifications": runtime.notifications.page,
        "targets": runtime.notifications.targets,
        "tokens": lambda: runtime.access.tokens_page(limit=100),
        "rules": runtime.rules.all,
        "health": runtime.health.check,
    }
    return jobs if table in OF_JOBS else others


@asynccontextmanager
async def populated() -> AsyncIterator[tuple[RunningRuntime, Connection]]:
    clock = VirtualClock()
    async with Lab(clock, ScriptedRemote(clock.now), Targets()).open() as runtime:
        await populate(runtime)
        writer = runtime._store._writer
        assert writer is not None
        yield runtime, writer


@contextmanager
def damaged(writer: Connection, column: Column[Any], wrong: str, place: int) -> Iterator[None]:
    """That value in that row for the length of the block; SQLite keeps keys from some."""
    writer.exec_driver_sql("SAVEPOINT damage")
    try:
        with suppress(IntegrityError):
            writer.exec_driver_sql(f"UPDATE {column.table.name} SET {column.name} = {wrong} WHERE rowid = {place}")
        yield
    finally:
        writer.exec_driver_sql("ROLLBACK TO damage")
        writer.exec_driver_sql("RELEASE damage")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_every_list_shows_the_other_rows(
    autojump_clock: MockClock, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever column it is, in whichever row; the row is one ERROR at most."""
    async with populated() as (runtime, writer):
        lists = lists_of(runtime, table.name)
        number = len(await runtime.jobs.page())
        places = writer.execute(text(f"SELECT rowid FROM {table.name} ORDER BY rowid")).scalars().all()
        every = [(column, wrong) for column in table.columns for wrong in wrong_for(column)]
        for (column, wrong), place in product(every, places[:: max(1, len(places) // 2)]):
            caplog.clear()
            rows._reported.clear()
            with damaged(writer, column, wrong, place):
                for name, show in lists.items():
                    try:
                        shown = await show()
                    except Exception as error:
                        raise AssertionError(f"{name}: {column} = {wrong} in row {place}") from error
                    assert name != "jobs" or len(shown) >= number - 1, (column, wrong)
            errors = {one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR}
            assert len(errors) <= 1 + (wrong == NOT_UTF8), (column, wrong, errors)


BY_COLUMN = [
    column for name in ("jobs", "queue_entries", "submissions") for column in metadata.tables[name].columns
    if not column.primary_key and column.name != "lane_id"
]  # fmt: skip
"""A lane's own number is no content of a row: it is what keeps an entry in line."""


async def _go_on(world: World, column: Column[Any], seconds: float) -> None:
    """Damage one job of each state; then a job of somebody else runs, at once and again after ``seconds``."""
    async with world.open() as runtime:
        await world.submit(duration=LONG, user_id="r")
        await world.submit(duration=LONG, user_id="later", start_after="+1h")
        await runtime.queue.pause("scripted", "for the night")
        await world.submit(duration=5, user_id="w")
        await trio.sleep(1)
        damage = text(f"UPDATE OR IGNORE {column.table.name} SET {column.name} = {wrong_for(column)[0]}")
        await runtime._store.write(lambda tx: tx.connection.execute(damage))
        await runtime.queue.resume("scripted")
        for wait in (0, seconds):
            await trio.sleep(wait)
            other = await world.submit(duration=30, user_id="new")
            with trio.fail_after(600):
                assert (await runtime.wait(other.job_id)).status == "completed"
        children = runtime.tree.describe()[1]["children"]
        assert [(one["restarts"], one["state"]) for one in children] == [(0, "running")] * 3


@pytest.mark.parametrize("column", BY_COLUMN, ids=str)
async def test_the_actors_go_on_with_all_other_jobs(
    autojump_clock: MockClock, column: Column[Any], world: World
) -> None:
    await _go_on(world, column, 60)


@pytest.mark.parametrize(
    "column", [one for one in BY_COLUMN if one.name in ("queued_at", "not_before", "request")], ids=str
)
async def test_so_they_do_when_a_damaged_job_is_tried_again(
    autojump_clock: MockClock, column: Column[Any], world: World
) -> None:
    """It was put off for an hour."""
    await _go_on(world, column, 2 * 3600)
