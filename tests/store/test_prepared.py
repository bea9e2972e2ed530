"""A prepared statement reads, writes and fails as SQLAlchemy's own execution does."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
import trio
from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import DBAPIError, StatementError

from actors.kernel import VirtualClock
from actors.simulation.database import BUSY, FAILED, FULL, Database
from actors.simulation.database import engine as simulated
from actors.store import InlineExecutor, Store, StoreBusy, StoreUnavailable, dialect
from actors.store.prepared import _PADDED, Prepared, _Compiled
from actors.store.schema import jobs, lanes, metadata, submissions
from actors.store.types import Damaged, DamagedInstant

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
EMPTY = {column.name: None for column in jobs.columns} | {"version": 1}
ROW = EMPTY | {
    "job_id": "a", "status": "pending", "provider": "p", "user_id": "zoë \N{PILE OF POO}", "correlation_id": "",
    "request": {"a": [1, None, {"b": 2.5}], 3: "x"}, "created_at": NOW,
    "updated_at": NOW.astimezone(timezone(timedelta(hours=5))), "cost_usd": 1, "exit_code": -9, "result": [],
    "signal": 9,
}  # fmt: skip
BY_ID = select(jobs).where(jobs.c.job_id == bindparam("job_id"))
IN_LIST = select(jobs.c.job_id).where(jobs.c.job_id.in_(bindparam("ids", expanding=True)), jobs.c.version == 1)


@pytest.fixture(params=["file", "memory"])
def connection(request, tmp_path):
    engine = dialect.open_engine(tmp_path / "db" if request.param == "file" else None)
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def raw(connection):
    return connection.exec_driver_sql("SELECT * FROM jobs ORDER BY job_id").all()


@pytest.mark.parametrize("row", [ROW, ROW | {"completed_at": NOW, "progress": {}, "error_message": "\x00"}])
def test_what_it_writes_and_reads_is_what_sqlalchemy_writes_and_reads(connection, row):
    connection.execute(insert(jobs), row)
    before = raw(connection)
    connection.execute(delete(jobs))
    assert Prepared(insert(jobs)).run(connection, **row) == 1
    assert raw(connection) == before
    plain = connection.execute(BY_ID, {"job_id": "a"}).one()
    by_id = Prepared(BY_ID)
    assert by_id.one(connection, job_id="a") == tuple(plain)
    assert by_id.all(connection, job_id="a") == [tuple(plain)]
    assert by_id.one_dict(connection, job_id="a") == dict(plain._mapping)
    assert by_id.dicts(connection, job_id="a") == [dict(plain._mapping)]
    assert by_id.one_dict(connection, job_id="b") is by_id.one(connection, job_id="b") is None


def test_many_rows_are_written_as_one_by_one(connection):
    rows = [ROW | {"job_id": f"j{number}"} for number in range(5)]
    connection.execute(insert(jobs), rows)
    before = raw(connection)
    connection.execute(delete(jobs))
    Prepared(insert(jobs)).run_many(connection, rows)
    Prepared(insert(jobs)).run_many(connection, [])
    assert raw(connection) == before


def test_a_truth_value_and_a_drawn_key_come_back(connection):
    submission = {"key": "k", "job_id": "a", "token": "t", "state": "intent", "intent_at": NOW, "spends_attempt": True}
    Prepared(insert(submissions), submission).run(connection, **submission)
    assert Prepared(select(submissions.c.spends_attempt)).one(connection) == (True,)
    lane = dict.fromkeys(("user_id", "org_id", "team_id", "provider", "head_job_id"), "x")
    lane |= dict.fromkeys(("cpus", "gpus", "memory", "base_priority", "override", "count", "head_queued_seq"), 1)
    lane |= {"head_queued_at": NOW}
    enter = Prepared(insert(lanes).returning(lanes.c.lane_id), lane)
    (first,) = enter.one(connection, **lane)
    (second,) = enter.one(connection, **(lane | {"cpus": 2}))
    assert [tuple(row) for row in connection.execute(select(lanes.c.lane_id, lanes.c.cpus))] == [
        (first, 1),
        (second, 2),
    ]


def test_what_is_no_json_or_no_moment_is_a_value_and_is_copied_as_it_is(connection):
    connection.execute(insert(jobs), [ROW, ROW | {"job_id": "b"}])
    connection.execute(text("UPDATE jobs SET request = '{' WHERE job_id = 'a'"))
    connection.execute(text("UPDATE jobs SET created_at = 'soon' WHERE job_id = 'b'"))
    assert isinstance(Prepared(BY_ID).one_dict(connection, job_id="a")["request"], Damaged)
    plain = connection.execute(BY_ID, {"job_id": "b"}).one()._mapping["created_at"]
    prepared = Prepared(BY_ID).one_dict(connection, job_id="b")["created_at"]
    assert {type(plain), type(prepared)} == {DamagedInstant}
    assert (plain, plain.raw) == (prepared, prepared.raw) == (datetime(1970, 1, 1, tzinfo=UTC), "soon")
    change = Prepared(update(jobs).where(jobs.c.job_id == bindparam("wanted")), ["updated_at"])
    change.run(connection, wanted="b", updated_at=prepared)
    assert connection.execute(text("SELECT updated_at FROM jobs WHERE job_id = 'b'")).scalar_one() == "soon"


def test_an_update_writes_the_columns_it_is_asked_to(connection):
    connection.execute(insert(jobs), [ROW, ROW | {"job_id": "b"}])
    change = Prepared(update(jobs).where(jobs.c.job_id == bindparam("wanted")))
    assert (
        change.writing(["progress", "started_at"]).run(connection, wanted="a", progress={"n": 1}, started_at=NOW) == 1
    )
    assert change.writing(("progress",)) is change.writing(["progress"])
    assert change.writing(["progress"]).run(connection, wanted="c", progress=None) == 0
    found = connection.execute(select(jobs.c.progress, jobs.c.started_at).order_by(jobs.c.job_id)).all()
    assert found == [({"n": 1}, NOW), (None, None)]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 100, _PADDED, _PADDED + 1])
def test_a_list_of_any_length_finds_its_rows(connection, number):
    connection.execute(insert(jobs), [ROW | {"job_id": f"j{each}"} for each in (0, 2, 99, _PADDED)])
    statement = Prepared(IN_LIST)
    for _ in range(2):
        found = statement.all(connection, ids=(f"j{each}" for each in range(number)))
        assert set(found) == {(f"j{each}",) for each in (0, 2, 99, _PADDED) if each < number}
        assert len(found) == len(set(found))


def test_lists_of_similar_length_share_a_text(connection):
    seen = []
    driver = connection.connection.driver_connection
    statement = Prepared(IN_LIST)
    driver.set_trace_callback(seen.append)
    for number in (5, 6, 7, 8):
        statement.all(connection, ids=[None] * number)
    driver.set_trace_callback(None)
    assert len(set(seen)) == 1


VALUES = {
    "a naive moment": {"created_at": datetime(2024, 1, 1)},  # noqa: DTZ001
    "no moment": {"created_at": "soon"},
    "no JSON": {"request": {"a": object()}},
    "a surrogate in JSON": {"request": {"a": "\udcff"}},
    "a surrogate": {"user_id": "\udcff"},
    "too large a number": {"exit_code": 1 << 64},
    "nothing where something must be": {"status": None},
    "a column too few": {"status": ...},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_value_that_cannot_be_kept_fails_as_with_sqlalchemy(connection, value):
    row = {name: given for name, given in (ROW | value).items() if given is not ...}
    with pytest.raises(Exception) as plain:
        connection.execute(insert(jobs).values(**row) if ... in value.values() else insert(jobs), row)
    for execute in (lambda: Prepared(insert(jobs), row).run(connection, **row),
                    lambda: Prepared(insert(jobs), row).run_many(connection, [row, row])):  # fmt: skip
        with pytest.raises(type(plain.value)) as prepared:
            execute()
        assert str(dialect.refusal_of(prepared.value)) == str(dialect.refusal_of(plain.value))
        if isinstance(plain.value, StatementError):
            assert type(prepared.value.orig) is type(plain.value.orig)
            assert str(prepared.value.orig) == str(plain.value.orig)
    assert raw(connection) == []


def test_a_parameter_that_is_missing_is_an_error(connection):
    with pytest.raises(StatementError):
        Prepared(BY_ID).one(connection)
    with pytest.raises(StatementError):
        Prepared(IN_LIST).all(connection)


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [(BUSY, StoreBusy, "held by"), (FULL, StoreUnavailable, "disk is full"), (FAILED, StoreUnavailable, "disk failed")],
)
def test_a_database_that_fails_fails_the_transaction_and_says_why(failure, kind, words):
    database = Database()
    insert_job, read_job = Prepared(insert(jobs)), Prepared(BY_ID)

    async def write_and_read():
        store = Store(None, executor=InlineExecutor(), now=VirtualClock().now, engine=simulated())
        await store.open()
        for beginning in ("INSERT INTO jobs", "SELECT jobs"):
            database.disk.failures.append((beginning, failure))
            with pytest.raises(kind, match=words):
                await store.write(
                    lambda tx: (insert_job.run(tx.connection, **ROW), read_job.one(tx.connection, job_id="a"))
                )
            assert database.disk.failures == []
            assert await store.read(lambda connection: read_job.one(connection, job_id="a")) is None
        await store.aclose()

    trio.run(write_and_read)
    database.close()


def test_a_damaged_file_is_said_to_be_damaged(tmp_path):
    engine = dialect.open_engine(tmp_path / "db")
    with engine.connect() as connection:
        metadata.create_all(connection)
        Prepared(insert(jobs)).run_many(connection, [ROW | {"job_id": f"j{number}"} for number in range(500)])
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").scalar_one()
    engine.dispose()
    with (tmp_path / "db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    engine = dialect.open_engine(tmp_path / "db")
    with engine.connect() as connection, pytest.raises(StoreUnavailable, match="is damaged"), dialect.explained("db"):
        Prepared(select(jobs)).all(connection)
    engine.dispose()


def test_an_error_names_the_statement_and_is_the_drivers_own_beneath(connection):
    Prepared(insert(jobs)).run(connection, **ROW)
    with pytest.raises(DBAPIError, match="INSERT INTO jobs") as failed:
        Prepared(insert(jobs)).run(connection, **ROW)
    assert isinstance(failed.value.orig, sqlite3.IntegrityError)


def test_a_dialect_with_named_parameters_gets_them_by_name():
    """psycopg's: the driver is not needed to compile."""
    compiled = _Compiled(IN_LIST, None, psycopg.dialect())
    shape, arguments = compiled.prepare({"ids": ["a", "b", "c"]})
    assert arguments == {"version_1": 1, "ids_1": "a", "ids_2": "b", "ids_3": "c", "ids_4": "c"}
    assert all(f"%({name})s" in shape.text for name in arguments)
    assert "?" in _Compiled(IN_LIST, None, sqlite.dialect()).prepare({"ids": ["a"]})[0].text
    writes = _Compiled(insert(jobs), tuple(ROW), psycopg.dialect())
    assert "RETURNING" not in writes.prepare(ROW)[0].text
    assert writes.prepare(ROW)[1]["created_at"] == (NOW - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_a_failure_in_the_middle_of_the_rows_is_a_database_error_like_any_other(connection):
    """The store's border knows :class:`DBAPIError` alone; the driver's own would pass it by."""
    Prepared(insert(jobs)).run_many(connection, [ROW | {"job_id": f"j{number}"} for number in range(1_000)])
    driver = connection.connection.driver_connection
    driver.set_progress_handler(lambda: True, 5_000)
    with pytest.raises(DBAPIError, match="interrupted"):
        Prepared(select(jobs)).all(connection)
    driver.set_progress_handler(None, 0)
    assert len(Prepared(select(jobs)).all(connection)) == 1_000
