"""What SQLite maintains beside the tables: counts by status, the text index, and the index of the ends of ids.

**Counts.** ``status_counts`` has one row for each status of jobs and of queue entries. Triggers change it in the
statement that changes a status, so it is right after every commit and every rollback, whichever code wrote. Counting
the rows instead would read an index of all of them: 40 ms for a million. ``doctor`` and the simulation compare both.
The bytes of all series are counted in the same way.

**The text index** (``job_texts``, FTS5 with trigrams) has no copy of the texts. A trigger removes a job from it when
its text changes or its row is deleted; :mod:`actors.store.text_search` adds jobs, and merges the parts that both
create.

**Ends of ids.** People type the last characters of an id; an index has them from right to left.

All of this is written for SQLite. Another database needs triggers of its own, and pg_trgm for the text search; until
then the text search is not available there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Connection

from actors.store.dialect import tail

S = TypeVar("S", bound=StrEnum)

COUNTED = ("jobs", "queue_entries")
_MOST_SEGMENTS = 1_999
"""With this many segments FTS5 merges them, however long that takes; it can have 2,000."""
TEXT_COLUMNS = "job_id, user_id, config_name, error_message"
ENDED_NOT_INDEXED = "text_place IS NULL AND status IN ('cancelled','completed','failed')"


def texts_of(row: str) -> str:
    """The searchable texts of a job, as columns of ``row``.

    Never the whole request, because its variables would let people guess what they may not see.
    """
    name = f"CASE WHEN json_valid({row}.request) THEN json_extract({row}.request, '$.config_name') END"
    return f"{row}.job_id, {row}.user_id, {name}, {row}.error_message"


def _counted(table: str) -> Iterator[str]:
    def add(status: str, number: int) -> str:
        return (
            f"INSERT INTO status_counts VALUES ('{table}', {status}, {number}) "
            f"ON CONFLICT (kind, status) DO UPDATE SET number = number + {number};"
        )

    yield f"CREATE TRIGGER {table}_counted_in AFTER INSERT ON {table} BEGIN {add('new.status', 1)} END"
    yield f"CREATE TRIGGER {table}_counted_out AFTER DELETE ON {table} BEGIN {add('old.status', -1)} END"
    yield (
        f"CREATE TRIGGER {table}_counted AFTER UPDATE OF status ON {table} WHEN old.status IS NOT new.status "
        f"BEGIN {add('old.status', -1)} {add('new.status', 1)} END"
    )


def series_statements() -> Iterator[str]:
    """The statements that maintain the number of bytes of all series; their table exists already."""

    def add(number: str) -> str:
        return (
            f"INSERT INTO status_counts VALUES ('series', 'bytes', {number}) "
            f"ON CONFLICT (kind, status) DO UPDATE SET number = number + excluded.number;"
        )

    yield f"CREATE TRIGGER series_counted_in AFTER INSERT ON series BEGIN {add('new.bytes')} END"
    yield f"CREATE TRIGGER series_counted_out AFTER DELETE ON series BEGIN {add('-old.bytes')} END"
    yield (
        "CREATE TRIGGER series_counted AFTER UPDATE OF bytes ON series WHEN old.bytes IS NOT new.bytes "
        f"BEGIN {add('new.bytes - old.bytes')} END"
    )


def _text_index() -> Iterator[str]:
    yield (
        f"CREATE VIRTUAL TABLE job_texts USING fts5({TEXT_COLUMNS}, "
        "tokenize='trigram', content='', detail=none, columnsize=0)"
    )
    # Left to itself, FTS5 merges its segments inside of somebody's transaction, which then takes ten times as long.
    for option, value in (("automerge", 0), ("crisismerge", _MOST_SEGMENTS)):
        yield f"INSERT INTO job_texts(job_texts, rank) VALUES ('{option}', {value})"
    leave = (
        f"INSERT INTO job_texts(job_texts, rowid, {TEXT_COLUMNS}) VALUES ('delete', old.text_place, {texts_of('old')});"
    )
    yield (
        f"CREATE TRIGGER jobs_left_text_index AFTER DELETE ON jobs WHEN old.text_place IS NOT NULL BEGIN {leave} END"
    )
    changed = ("job_id", "user_id", "error_message", "request")
    differ = " OR ".join(f"old.{name} IS NOT new.{name}" for name in changed)
    yield (
        f"CREATE TRIGGER jobs_text_changed AFTER UPDATE OF {', '.join(changed)} ON jobs "
        f"WHEN old.text_place IS NOT NULL AND ({differ}) "
        f"BEGIN {leave} UPDATE jobs SET text_place = NULL WHERE job_id = new.job_id; END"
    )


def statements() -> Iterator[str]:
    """The statements that create everything of this file; the tables exist already."""
    yield f"CREATE INDEX jobs_by_tail ON jobs ({tail('job_id')})"
    yield f"CREATE INDEX approvals_by_tail ON approvals ({tail('approval_id')})"
    for table in COUNTED:
        yield from _counted(table)
    yield from _text_index()


def counted(connection: Connection, table: str) -> list[tuple[str, int]]:
    """Each status of the rows of ``table``, and how many have it."""
    query = "SELECT status, number FROM status_counts WHERE kind = ? AND number > 0"
    return [(str(status), int(number)) for status, number in connection.exec_driver_sql(query, (table,))]


def counts_of(connection: Connection, table: str, statuses: type[S]) -> dict[S, int]:
    """How many rows of ``table`` have each of these ``statuses``; damaged ones are not counted."""
    known = {one.value: one for one in statuses}
    return {known[status]: number for status, number in counted(connection, table) if status in known}


def miscounted(connection: sqlite3.Connection) -> Iterator[str]:
    """How the counts differ from the rows; reads an index of all rows. Empty for a database without counts."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'status_counts'").fetchone() is None:
        return
    for table in COUNTED:
        kept = dict(connection.execute("SELECT status, number FROM status_counts WHERE kind = ?", (table,)))
        there = dict(connection.execute(f"SELECT status, count(*) FROM {table} GROUP BY status"))
        for status in sorted({*kept, *there}):
            if kept.get(status, 0) != there.get(status, 0):
                yield f"{there.get(status, 0)} rows of {table} are {status}, and {kept.get(status, 0)} are counted"
    yield from _miscounted_series(connection)


def _miscounted_series(connection: sqlite3.Connection) -> Iterator[str]:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'series'").fetchone() is None:
        return
    [(there,)] = connection.execute("SELECT coalesce(sum(bytes), 0) FROM series")
    [(kept,)] = connection.execute("SELECT coalesce(sum(number), 0) FROM status_counts WHERE kind = 'series'")
    if there != kept:
        yield f"all series have {there} bytes, and {kept} are counted"


def create(connection: Connection) -> None:
    """Create everything of this file in the transaction of ``connection``."""
    for statement in statements():
        connection.exec_driver_sql(statement)


def series_bytes(connection: Connection) -> int:
    """How many bytes all series have."""
    return dict(counted(connection, "series")).get("bytes", 0)
