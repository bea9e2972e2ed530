"""What differs between databases: opening, beginning, insert-or-ignore, and the meaning of their errors.

SQLite, which is enough for one machine: write-ahead log, one connection that writes, transactions that begin IMMEDIATE
(a read that upgrades is BUSY at once), ``synchronous=FULL`` so that what was acknowledged survives a power failure
(NORMAL syncs nothing between checkpoints), files that only their owner can read.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Index,
    Table,
    Text,
    case,
    create_engine,
    event,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.dml import Insert

from actors.jobs.refusal import RefusalKind, Refused
from actors.store.errors import ReadTooSlow, StoreBusy, StoreError, StoreUnavailable
from actors.store.prepared import command

BUSY_TIMEOUT_MS = 5_000
_LOG_LIMIT = 4 << 20
"""Bytes to which SQLite cuts a longer write-ahead log when it restarts it."""
_FILE_MODE = 0o600
_IDLE_CONNECTIONS = 8
"""Connections that are kept for the next reader; further ones are closed after use."""


def open_engine(path: Path | None) -> Engine:
    """An engine on the database file at ``path``, or on one in memory (None) with a single shared connection.

    Raises :class:`StoreUnavailable` when the file cannot be made or read.
    """
    if path is None:
        engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}, isolation_level="AUTOCOMMIT"
        )
    else:
        _make_private(path)
        engine = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
            isolation_level="AUTOCOMMIT",
            pool_size=_IDLE_CONNECTIONS,
            max_overflow=-1,  # threads are the limit
        )
    event.listen(engine, "connect", _configure)
    return engine


def open_immutable(uri: str) -> Engine:
    """An engine that only reads a database which nobody changes and which has no write-ahead log."""
    connect = partial(sqlite3.connect, uri, uri=True, check_same_thread=False, isolation_level=None)
    return create_engine("sqlite://", creator=connect, isolation_level="AUTOCOMMIT")


def _make_private(path: Path) -> None:
    """Create the file with its final mode: SQLite gives its journal files the mode of the database."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE))
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    try:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            f"journal_size_limit={_LOG_LIMIT}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()  # the pool has not got it yet: nobody else would
        raise


def prepare_writer(connection: Connection) -> None:
    """Keep in memory what SQLite needs to undo a statement with triggers; in a file it doubles the cost of an insert.

    Only for the writer, once the schema is up to date, because sorting for a reader or for a new index may use much
    memory.
    """
    command(connection, "PRAGMA temp_store=MEMORY")


def begin(connection: Connection) -> None:
    """Begin a transaction that may write. It holds the one lock that serialises claims."""
    command(connection, "BEGIN IMMEDIATE")


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which ``where`` holds.

    An option of another dialect makes SQLAlchemy load that whole dialect to check it: 50 ms of every start.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where))


def json_part(column: Column[Any], name: str) -> ColumnElement[str]:
    """What is under ``name`` in a column of JSON objects, a text or JSON; NULL where that row is not JSON."""
    return case((func.json_valid(column), func.json_extract(column, f"$.{name}", type_=Text)))


TAIL_LENGTH = 8
LEAST_OF_ID = 6
"""The least characters of a part of an id: fewer would often match some id by chance."""


def tail(column: str) -> str:
    """The last characters of a text from right to left, so that texts with the same end are neighbours in an index
    of it.
    """
    return " || ".join(f"substr({column}, -{place}, 1)" for place in range(1, TAIL_LENGTH + 1))


def begins_with(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether a text begins with ``part``. It is no pattern, so no character has a special meaning.

    This is a range, so that an index of the column finds the texts.
    """
    if not part:
        return true()
    last = ord(part[-1])
    if last == sys.maxunicode or "\ud7ff" <= part[-1] < "\ue000":  # the next character is none
        return func.substr(column, 1, len(part)) == part
    return (column >= part) & (column < part[:-1] + chr(last + 1))


def starts_with(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """:func:`begins_with` as a range even if ``part`` is empty: then the whole index is read, instead of the table."""
    return begins_with(column, part) if part else column >= ""


def ends_with(column: Column[str], part: str) -> ColumnElement[bool]:
    """Whether a text ends with ``part``; an index of its :func:`tail` finds the texts."""
    found = begins_with(literal_column(tail(str(column)), Text), part[: -TAIL_LENGTH - 1 : -1])
    return found if len(part) <= TAIL_LENGTH else found & (func.substr(column, -len(part)) == part)


def matching(
    connection: Connection,
    column: Column[str],
    part: str,
    *fits: ColumnElement[bool],
    least: int = LEAST_OF_ID,
    limit: int = 3,
) -> list[str]:
    """Ids that begin or end with ``part``, of at least ``least`` characters: the part of a long id that a person
    types.
    """
    found: dict[str, None] = {}
    for condition in (begins_with(column, part), ends_with(column, part)) if len(part) >= least else ():
        found |= dict.fromkeys(connection.execute(select(column).where(condition, *fits).limit(limit)).scalars())
    return list(found)


def glob(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Whether a text fits ``pattern``, which :func:`actors.jobs.globs.checked` has written."""
    return column.op("GLOB", is_comparison=True)(pattern)


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """``column``, but without the use of an index, because another condition finds fewer rows."""
    return literal_column(f"+{column}", column.type)


def constant(value: StrEnum) -> ColumnElement[str]:
    """A value that is written into the statement: a partial index is used only if its condition is in the statement."""
    return literal_column(f"'{value.value}'", Text)


def holds(column: ColumnElement[Any], part: str | ColumnElement[str], *, any_case: bool = False) -> ColumnElement[bool]:
    """Whether a text contains ``part``; ``any_case``: ignore the case of A to Z."""
    if any_case:
        return func.instr(func.lower(column), func.lower(part)) > 0
    return func.instr(column, part) > 0


def insert_or_ignore(table: Table) -> Insert:
    """An insert that leaves a row of the same key as it is."""
    return sqlite.insert(table).on_conflict_do_nothing()


def upsert(table: Table, key: tuple[str, ...], values: dict[str, Any]) -> Insert:
    """An insert that replaces the values of a row of the same ``key``."""
    statement = sqlite.insert(table).values(**values)
    changed = {name: value for name, value in values.items() if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)


def insert_or_replace(table: Table, key: tuple[str, ...]) -> Insert:
    """An insert that replaces a row of the same ``key``; for many rows, each with all columns."""
    statement = sqlite.insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)


def roll_back(connection: Connection) -> None:
    """End a transaction that was not committed; some errors (a full disk) have ended it already."""
    driver = connection.connection.driver_connection
    if driver is not None and getattr(driver, "in_transaction", False):
        command(connection, "ROLLBACK")


class explained:  # noqa: N801 - read as a verb in `with explained(path):`, like contextlib's own
    """Convert the driver's errors into ours, whose text says what to do."""

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if isinstance(error, DBAPIError):
            raise _as_ours(error, self._where) from error


def _as_ours(error: DBAPIError, where: str) -> StoreError:
    original = error.orig
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{where} is held by another process; end that process or try again")
    if code == sqlite3.SQLITE_INTERRUPT:
        return ReadTooSlow("this read took too long and was ended; ask for less: a narrower filter, a smaller limit")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable(f"{where}: the disk is full; free some space and try again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreUnavailable(f"{where} cannot be written ({original}); check its owner and mode")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreUnavailable(f"{where} is damaged or no database of ours ({original}); restore a copy")
    if code == sqlite3.SQLITE_IOERR:
        return StoreUnavailable(f"{where}: the disk failed while reading or writing ({original})")
    return StoreError(f"{where}: {original}")


def refusal_of(error: BaseException) -> Refused | None:
    """The refusal of a value that the database cannot store; None if ``error`` is something else."""
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, UnicodeEncodeError):
        return Refused(f"a text holds {cause.object[cause.start : cause.end]!r}: it must be UTF-8", RefusalKind.INVALID)
    if isinstance(error, StatementError) and isinstance(cause, TypeError | ValueError | OverflowError):
        return Refused(f"a value cannot be kept: {cause}", RefusalKind.INVALID)
    return None
