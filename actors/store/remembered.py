"""What the writer keeps in memory of rows that people change: approval rules, limits, gates and holds.

They are read for each job and each look at the queue, and change a few times a day. So the writer's connection keeps
what it read, together with the value of the counter :data:`VERSION`.

**Invariants.** A function that writes such a row calls :func:`changed` in the same transaction, which increments the
version. What is kept was read under the version that it is kept with, by this connection, and nothing of it comes from
a change that was rolled back. Readers' connections keep nothing.

**What can happen.** Another process writes: the next transaction reads another version and forgets everything. A
closure changes a row and fails: its savepoint is rolled back, and with it the version, so :meth:`Remembered.forget` is
called; otherwise the next closure of the same transaction would see the change. The whole transaction fails: the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select, update

from actors.store.prepared import Prepared
from actors.store.schema import counters

T = TypeVar("T")

VERSION = "remembered"
_KEY = "greenroom.remembered"

_COUNTERS = Prepared(select(counters.c.name, counters.c.value))
_COUNT_ON = Prepared(update(counters).where(counters.c.name == VERSION).values(value=counters.c.value + 1))
_FIRST = Prepared(insert(counters))


class Remembered:
    """What one connection remembers, and the counters as its transaction found them."""

    __slots__ = ("_counters", "_is_committed", "_kept", "_order", "_version")

    def __init__(self) -> None:
        self._counters: Mapping[str, int] | None = None
        self._is_committed = False
        self._kept: dict[str, Any] = {}
        self._version: int | None = None
        self._order = 0

    def forget(self) -> None:
        """What was read may have been rolled back, or is about to change."""
        self._counters = self._version = None
        self._kept.clear()

    def begin(self) -> None:
        """A transaction begins: others may have committed since the last one."""
        self._counters = None
        self._is_committed = False

    def committed(self) -> None:
        """The transaction is committed."""
        self._is_committed = True

    def end(self) -> None:
        """The transaction is over; where it was not committed, what was read in it is forgotten."""
        if not self._is_committed:
            self.forget()

    def counters(self, connection: Connection) -> Mapping[str, int]:
        """All counters, read once a transaction."""
        if self._counters is None:
            self._counters = dict(_COUNTERS.all(connection))
            version = self._counters.get(VERSION, 0)
            if version != self._version:
                self._kept.clear()
                self._version = version
        return self._counters

    def next_order(self, least: int) -> int:
        """A number above ``least`` and above all that were given before, in transactions without events, too."""
        self._order = max(self._order, least) + 1
        return self._order

    def read(self, connection: Connection, name: str, read: Callable[[], T]) -> T:
        """What ``read`` gives, remembered under ``name``."""
        self.counters(connection)
        if name not in self._kept:
            self._kept[name] = read()
        found: T = self._kept[name]
        return found


def of(connection: Connection) -> Remembered:
    """What this connection, the writer's, remembers from now on."""
    found: Remembered = connection.info.setdefault(_KEY, Remembered())
    return found


def read(connection: Connection, name: str, read: Callable[[], T]) -> T:
    """What ``read`` gives; the writer's connection remembers it under ``name``. Not to be changed by the caller."""
    writer: Remembered | None = connection.info.get(_KEY)
    return read() if writer is None else writer.read(connection, name, read)


def changed(connection: Connection) -> None:
    """A row that the writer may remember is written in this transaction: call it with each such change."""
    if not _COUNT_ON.run(connection):
        _FIRST.run(connection, name=VERSION, value=1)
    writer: Remembered | None = connection.info.get(_KEY)
    if writer is not None:
        writer.forget()
