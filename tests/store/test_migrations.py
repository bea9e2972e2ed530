"""The schema that migrations make of that of 0.1.0 is the one that the code describes."""

from __future__ import annotations

import sqlite3

from alembic.config import Config
from alembic.script import ScriptDirectory

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, revision
from actors.store.revision import KNOWN, MIGRATIONS, NEWEST
from tests.store.schemas import difference


def shape(connection):
    rows = connection.exec_driver_sql(
        "SELECT type, name FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite_%' AND name != 'alembic_version' ORDER BY 1, 2"
    ).all()
    columns = {
        name: [tuple(column)[1:] for column in connection.exec_driver_sql(f"PRAGMA table_info({name})")]
        for kind, name in rows
        if kind == "table"
    }
    indexes = {
        name: [tuple(column)[1:] for column in connection.exec_driver_sql(f"PRAGMA index_xinfo({name})")]
        for kind, name in rows
        if kind == "index"
    }
    written = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %' ORDER BY 1"
    conditions = [(name, sql.partition(" WHERE ")[2]) for name, sql in connection.exec_driver_sql(written)]
    assert len(conditions) > 3
    derived = "type = 'trigger' OR name LIKE '%_by_tail' OR sql LIKE '%fts5%'"
    written = connection.exec_driver_sql(f"SELECT name, sql FROM sqlite_master WHERE {derived} ORDER BY 1").all()
    assert len(written) == 14
    assert connection.exec_driver_sql("SELECT count(*) FROM counters WHERE name = 'events'").scalar() == 1
    return columns, indexes, conditions, [tuple(row) for row in written]


async def test_migrations_and_code_build_the_same(old_state):
    migrated = Store(old_state.database, executor=InlineExecutor(), now=VirtualClock().now)
    made = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await migrated.open()
    await made.open()
    assert await migrated.read(shape) == await made.read(shape)

    assert await migrated.read(difference) == []
    await migrated.aclose()
    await made.aclose()


def test_the_newest_revision_is_the_one_the_code_knows():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == NEWEST
    assert {script.revision for script in scripts.walk_revisions()} == KNOWN


async def test_opening_an_existing_database_changes_nothing(tmp_path):
    for _ in range(2):
        store = Store(tmp_path / "db", executor=InlineExecutor(), now=VirtualClock().now)
        await store.open()
        await store.aclose()
    with sqlite3.connect(tmp_path / "db") as connection:
        assert connection.execute("SELECT value FROM counters").fetchall() == [(0,)]
    connection.close()


async def test_two_that_make_the_same_database_at_once_both_open_it(tmp_path, monkeypatch):
    """The second one saw an empty file before the first one wrote."""
    first = Store(tmp_path / "db", executor=InlineExecutor(), now=VirtualClock().now)
    await first.open()
    await first.aclose()
    answers = iter([None])
    real = revision.stored_revision
    monkeypatch.setattr(revision, "stored_revision", lambda connection: next(answers, real(connection)))
    second = Store(tmp_path / "db", executor=InlineExecutor(), now=VirtualClock().now)
    await second.open()
    await second.aclose()
