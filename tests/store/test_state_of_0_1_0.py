"""A state directory made by 0.1.0 is opened by the code of today: nothing in it is lost, and all of it works.

Every migration is tested here: `tests/fixtures/state-0.1.0/README.md` says what the directory holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import orjson
import pytest
import trio

from actors.job_requests.job_file import load_job_file
from actors.jobs.records import JobRequest
from actors.kernel import SystemClock, VirtualClock
from actors.providers.base import Idempotency
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.settings import Settings
from actors.store import InlineExecutor, Store
from tests.store.schemas import difference

LATER = timedelta(minutes=5)
"""From the end of the old process to the start of this one: within the day for which keys hold, past a back-off."""

RENAMED = {("lanes", "number"): "count"}
"""Columns that have another name since then."""


def rows_of(database):
    """Every row of every table, as {table: (columns, rows)}."""
    connection = sqlite3.connect(database)
    try:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'job_texts%'"
        names = [name for (name,) in connection.execute(query)]
        found = {}
        for name in names:
            cursor = connection.execute(
                f"SELECT * FROM {name} ORDER BY 1, rowid" if name != "alembic_version" else "SELECT 1"
            )
            found[name] = ([column[0] for column in cursor.description], cursor.fetchall())
        return found
    finally:
        connection.close()


async def migrate(old_state):
    store = Store(old_state.database, executor=InlineExecutor(), now=SystemClock().now)
    await store.open()
    return store


async def test_every_row_of_0_1_0_is_there_after_the_migration(old_state):
    before = rows_of(old_state.database)
    await (await migrate(old_state)).aclose()
    after = rows_of(old_state.database)
    for table, (old_columns, rows) in before.items():
        columns = [RENAMED.get((table, column), column) for column in old_columns]
        new_columns, new_rows = after[table]
        places = [new_columns.index(column) for column in columns if (table, column) != ("events", "data")]
        rows = [tuple(row[columns.index(new_columns[place])] for place in places) for row in rows]
        assert [tuple(row[place] for place in places) for row in new_rows] == rows, table


async def test_every_event_of_a_job_says_whose_it_is_and_all_that_it_said_before(old_state):
    before = rows_of(old_state.database)
    await (await migrate(old_state)).aclose()
    columns, jobs = before["jobs"]
    users = {row[columns.index("job_id")]: row[columns.index("user_id")] for row in jobs}
    columns, old = before["events"]
    new = rows_of(old_state.database)["events"][1]
    job_id, data = columns.index("job_id"), columns.index("data")
    assert len([row for row in old if "user_id" not in row[data]]) > 10, "the fixture tests nothing"
    for was, row in zip(old, new, strict=True):
        said = {} if was[job_id] is None else {"user_id": users[was[job_id]]}
        assert orjson.loads(row[data]) == orjson.loads(was[data]) | said


async def test_the_migrated_schema_is_the_one_that_the_code_describes(old_state):
    store = await migrate(old_state)
    assert await store.read(difference) == []
    await store.aclose()


async def test_the_fixture_holds_every_state(old_state):
    jobs = old_state.expected["jobs"].values()
    assert {one["status"] for one in jobs} == {
        "pending", "uploading", "queued", "running", "completed", "failed", "cancelled",
    }  # fmt: skip
    assert {one["entry"] for one in jobs} == {"pending", "blocked", "running", "completed", "failed", "cancelled"}
    found = rows_of(old_state.database)
    assert all(found[table][1] for table in found), "a table without a row tests nothing"


@asynccontextmanager
async def opened(old_state) -> AsyncIterator[RunningRuntime]:
    """Today's runtime on the old directory, some minutes after the old one ended; simulated jobs are run anew."""
    start = datetime.fromisoformat(old_state.expected["now"]) + LATER
    clock = VirtualClock(start - timedelta(seconds=trio.current_time()))
    providers = [
        LocalProvider(LocalOptions(), old_state.path / "providers" / "local"),
        ScriptedProvider(ScriptedOptions()),
        ScriptedProvider(ScriptedOptions(idempotency=Idempotency.NONE), name="elsewhere"),
        ScriptedProvider(ScriptedOptions(), name="slow"),
        ScriptedProvider(ScriptedOptions(), name="picky"),
    ]
    settings = Settings.default(state_dir=old_state.path)
    async with open_runtime(settings, Parts(clock=clock, providers=providers)) as runtime:
        with trio.fail_after(120):
            yield runtime


@pytest.mark.parts
async def test_jobs_that_ended_are_as_they_were(old_state):
    ended = {name: one for name, one in old_state.expected["jobs"].items() if one["entry"] in ("completed", "failed")}
    async with opened(old_state) as runtime:
        for name, one in ended.items():
            view = await runtime.jobs.get(one["job_id"])
            assert (view.job.status, view.entry.status) == (one["status"], one["entry"]), name
        completed = await runtime.jobs.get(old_state.job_id("completed"))
        assert (completed.job.exit_code, completed.job.result) == (0, {"bleu": 31.2})
        assert b"".join([data async for data, _ in runtime.logs(completed.job.job_id)]) == b"working\n"
        assert (await runtime.jobs.get(old_state.job_id("retried"))).job.retry_of == old_state.job_id("failed")


@pytest.mark.parts
async def test_the_same_job_file_and_the_same_key_find_their_jobs(old_state):
    environment = old_state.expected["environment"]
    file = load_job_file(old_state.job_file, environ=environment)
    async with opened(old_state) as runtime:
        for _ in range(2):  # by the keys of 0.1.0, then by those of their content
            accepted = await runtime.jobs.submit_many(file.requests, file.rules())
            assert [(one.job.job_id, one.created) for one in accepted] == [
                (old_state.job_id(name), False) for name in ("file-one", "file-two", "file-three")
            ]
        by_hand: JobRequest = (await runtime.jobs.get(old_state.job_id("completed"))).job.request
        assert (await runtime.submit(by_hand)).job_id == old_state.job_id("completed")


@pytest.mark.parts
async def test_jobs_that_waited_run_and_those_that_ran_are_followed_to_their_end(old_state):
    async with opened(old_state) as runtime:
        await runtime.queue.resume("elsewhere", by="root")
        await runtime.approve(old_state.expected["approvals"]["blocked"], by="lea")
        uncertain = await runtime.jobs.get(old_state.job_id("uncertain"))
        assert "cannot tell whether it was accepted" in str(uncertain.job.uncertain_reason)
        await runtime.jobs.settle(old_state.job_id("uncertain"), "not_run", by="root")
        for name in ("pending", "pending-elsewhere", "blocked", "failed-once", "uploading", "uncertain"):
            assert (await runtime.wait(old_state.job_id(name))).status == "completed", name
        pending = old_state.job_id("pending")
        assert b"".join([data async for data, _ in runtime.logs(pending)]) == b"late\n"
        for name in ("running", "queued", "running-local"):  # what ran them is gone for sure
            assert (await runtime.wait(old_state.job_id(name))).status == "failed", name


@pytest.mark.parts
async def test_tokens_and_sessions_open_what_they_opened(old_state):
    tokens, sessions = old_state.expected["tokens"], old_state.expected["sessions"]
    async with opened(old_state) as runtime:
        access = runtime.access
        admin, ana = await access.token_peer(tokens["admin"]), await access.token_peer(tokens["ana"])
        assert (admin.name, admin.level) == ("root", "admin")
        assert (ana.name, ana.level, ana.org_id) == ("ana", "researcher", "lab")
        assert [await access.token_peer(tokens[name]) for name in ("revoked", "ended")] == [None, None]
        assert len(await access.tokens_page(limit=100)) == len(tokens)
        operator, mine = await access.session_peer(sessions["operator"]), await access.session_peer(sessions["ana"])
        assert (operator.name, mine.name, mine.level) == ("operator", "ana", "researcher")
        assert await access.session_peer(sessions["ended"]) is None


@pytest.mark.parts
async def test_what_was_changed_at_run_time_holds(old_state):
    async with opened(old_state) as runtime:
        limits, sources = await runtime.queue.limits()
        assert (limits.total, sources["total"]) == (30, "stored")
        assert "Dear" in {view.rule.name for view in await runtime.rules.all()}
        assert "elsewhere" in (await runtime.queue.view()).closed_providers
        approvals = await runtime.approvals.page()
        assert {one.status for one in approvals} == {"pending", "approved", "rejected", "expired", "cancelled"}
