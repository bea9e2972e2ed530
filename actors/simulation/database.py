"""The database of a simulated machine: it outlives the processes, and can end a process or fail at any statement.

One SQLite database in memory on one connection that no engine can close. Every statement passes :meth:`Disk.passing`,
which may kill the process there, or raise what SQLite raises when the file is busy or the disk fails. A new machine
starts from an image of a migrated, empty database.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Self

import trio
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store

BUSY = ("database is locked", sqlite3.SQLITE_BUSY)
FULL = ("database or disk is full", sqlite3.SQLITE_FULL)
FAILED = ("disk I/O error", sqlite3.SQLITE_IOERR)


class Disk:
    """What happens to statements. ``before`` and ``after`` are called with each one's text; None: nothing happens.

    ``failures``: errors for the next statements with these beginnings, each raised once.
    """

    def __init__(self) -> None:
        self.before: Callable[[str], None] | None = None
        self.after: Callable[[str], None] | None = None
        self.failures: list[tuple[str, tuple[str, int]]] = []
        self.failed = 0

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing happens to the statements of this block: what is to happen is the runtime's."""
        held = self.before, self.after, self.failures
        self.before, self.after, self.failures = None, None, []
        try:
            yield
        finally:
            self.before, self.after, self.failures = held

    def passing(self, statement: str) -> None:
        """What is to happen at the beginning of ``statement``."""
        if self.before is not None:
            self.before(statement)
        for index, (beginning, error) in enumerate(self.failures):
            if statement.startswith(beginning):
                del self.failures[index]
                self.failed += 1
                raise _sqlite_error(*error)


def _sqlite_error(message: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


class _Cursor(sqlite3.Cursor):
    connection: _Connection

    def execute(self, statement: str, parameters: Any = (), /) -> Self:
        disk = self.connection.disk
        disk.passing(statement)
        super().execute(statement, parameters)
        if disk.after is not None:
            disk.after(statement)
        return self

    def executemany(self, statement: str, parameters: Any, /) -> Self:
        self.connection.disk.passing(statement)
        super().executemany(statement, parameters)
        return self


class _Connection(sqlite3.Connection):
    disk: Disk

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(_Cursor)

    def close(self) -> None:
        """Not while the machine runs: a process that ends closes nothing of it."""


_current: _Connection | None = None


def _connection() -> _Connection:
    assert _current is not None
    return _current


@cache
def engine() -> Engine:
    """The one engine of this process, whose compiled statements every simulation shares; on the current machine."""
    return create_engine("sqlite://", creator=_connection, poolclass=StaticPool, isolation_level="AUTOCOMMIT")


class Database:
    """One machine's database, empty and migrated. While it is open it is what :func:`engine` connects to."""

    def __init__(self) -> None:
        self.disk = Disk()
        self._open(template())

    def _open(self, image: bytes) -> None:
        """On a connection of its own: statements that another one has prepared hold pointers to its schema."""
        global _current
        engine().dispose()
        self._connection = _current = _fresh(self.disk)
        self._connection.deserialize(image)

    def look(self, query: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Rows as they are stored now, past every hook, for the checks. Not inside a transaction of others."""
        cursor = sqlite3.Cursor(self._connection)
        return cursor.execute(query, parameters).fetchall()

    def image(self) -> bytes:
        """A copy of everything that is committed."""
        return self._connection.serialize()

    def replace(self, image: bytes) -> None:
        """Let this be the database from now on, while no process runs."""
        sqlite3.Connection.close(self._connection)
        self._open(image)

    def power_cycle(self) -> None:
        """What was not committed is lost; hooks are removed."""
        self.disk.before = self.disk.after = None
        if self._connection.in_transaction:
            self._connection.rollback()
        engine().dispose()

    def close(self) -> None:
        """End it."""
        global _current
        self.power_cycle()
        sqlite3.Connection.close(self._connection)
        _current = None


def _fresh(disk: Disk) -> _Connection:
    connection = sqlite3.connect(
        ":memory:", factory=_Connection, isolation_level=None, check_same_thread=False, cached_statements=2_000
    )
    connection.disk = disk
    return connection


@cache
def template() -> bytes:
    """The image of an empty database of the newest revision, made once in each process."""
    global _current
    _current = made = _fresh(Disk())

    async def make() -> None:
        store = Store(None, executor=InlineExecutor(), now=VirtualClock().now, engine=engine())
        await store.open()
        await store.aclose()

    trio.run(make)
    image = made.serialize()
    sqlite3.Connection.close(made)
    return image
