"""An older database becomes what the schema describes, in the transaction of the caller.

Tables, columns and indexes that the schema has and the database lacks are added as the schema has them: they are
described in one place. What is more than an addition belongs to a revision: an index that has changed is dropped first,
so that it is added anew, and statements fill new columns. Migrations begin with revision 0002, that of 0.1.0: no
released version left an older database.

With a million jobs the indexes and counts of 0004 take seconds. The texts of old jobs are put into the text index
afterwards, a batch at a time, while the supervisor works; until then a search looks through the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection
from sqlalchemy.schema import CreateColumn

from actors.store import derived
from actors.store.schema import metadata


def _owners_of_events() -> Iterator[str]:
    """An event says whose it is about; until then only a job's first one did."""
    yield (
        "UPDATE events SET data = json_set(events.data, '$.user_id', jobs.user_id) FROM jobs "
        "WHERE jobs.job_id = events.job_id "
        "AND CASE WHEN json_valid(events.data) THEN json_extract(events.data, '$.user_id') IS NULL ELSE 0 END"
    )


def _counts_and_texts() -> Iterator[str]:
    """Counts by status, the triggers that go on counting, and the text index."""
    for table in derived.COUNTED:
        yield f"INSERT INTO status_counts SELECT '{table}', status, count(*) FROM {table} GROUP BY status"
    yield from derived.statements()


def _copies_of_requests() -> Iterator[str]:
    """What requests hold stands in columns, too, by which jobs are found and chosen."""
    held = "CASE WHEN json_valid(request) THEN json_extract(request, '$.{}') END"
    yield f"UPDATE jobs SET config_name = {held.format('config_name')}"
    yield (
        f"UPDATE queue_entries SET max_runtime = (SELECT {held.format('max_runtime')} FROM jobs "
        "WHERE jobs.job_id = queue_entries.job_id) WHERE status IN ('pending','blocked','running')"
    )
    head = "(SELECT max_runtime FROM queue_entries WHERE queue_entries.job_id = lanes.head_job_id)"
    yield f"UPDATE lanes SET tag = NULL, head_max_runtime = {head} WHERE {head} IS NOT NULL"
    yield from derived.series_statements()


STATEMENTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "0003": _owners_of_events,
    "0004": _counts_and_texts,
    "0005": _copies_of_requests,
}
"""Those that run when all has been added, by the revision that a database has afterwards."""
_FIRST = {
    "0004": ("DROP INDEX jobs_active", "DROP INDEX jobs_by_user"),
    "0005": ("DROP INDEX idempotency_by_age", "ALTER TABLE lanes RENAME COLUMN number TO count"),
}
"""Those that run before: what has changed its name or its columns would be taken for something that is there."""


def migrate(connection: Connection, before: str) -> None:
    """Bring a database of revision ``before`` to the newest."""
    later = [revision for revision in STATEMENTS if revision > before]
    for statement in [one for revision in later for one in _FIRST.get(revision, ())]:
        connection.exec_driver_sql(statement)
    _add_what_is_missing(connection)
    for statement in [one for revision in later for one in STATEMENTS[revision]()]:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (later[-1],))


def _add_what_is_missing(connection: Connection) -> None:
    there = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
    for table in metadata.sorted_tables:
        if table.name not in there:
            table.create(connection, checkfirst=False)
            continue
        columns = {row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table.name})")}
        for column in table.columns:
            if column.name not in columns:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
        for index in table.indexes:
            if index.name not in there:
                index.create(connection, checkfirst=False)
