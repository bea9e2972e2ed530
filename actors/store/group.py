"""A group of closures that share one transaction, and so one commit; for :class:`~actors.store.Store`.

Each closure of a group runs in a savepoint, so its failure undoes only its own changes and events; a single one needs
none. A failure of the database itself is not one closure's failure: it fails every caller of the group.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from outcome import Error, Outcome, Value, capture
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from actors.store import dialect, remembered
from actors.store.dialect import explained, refusal_of
from actors.store.errors import StoreBusy
from actors.store.prepared import command
from actors.store.transaction import Transaction

T = TypeVar("T")
Closure = Callable[[Transaction], T]

_BUSY_ATTEMPTS = 2
"""Further attempts after the first one; each of them waits for the lock."""


class Waiting(Generic[T]):
    """A closure, the correlation ID under which it is written, and what became of it."""

    __slots__ = ("closure", "correlation_id", "outcome")

    def __init__(self, closure: Closure[T], correlation_id: str) -> None:
        self.closure = closure
        self.correlation_id = correlation_id
        self.outcome: Outcome[T] | None = None


def begin(connection: Connection, where: str) -> None:
    """Begin a transaction of the writer of the database ``where``. If another process has the lock, try it again."""
    with suppress(StoreBusy), explained(where):  # as nearly always: retrying costs more than beginning
        _begin(connection)
        return
    import stamina  # rarely needed, and imported in a fiftieth of a start

    from actors.kernel.retry_log import ensure_retry_log

    ensure_retry_log()
    for attempt in stamina.retry_context(on=StoreBusy, attempts=_BUSY_ATTEMPTS, wait_initial=0.05, wait_max=0.5):
        with attempt, explained(where):
            _begin(connection)


def _begin(connection: Connection) -> None:
    dialect.begin(connection)
    remembered.of(connection).begin()


def commit(connection: Connection) -> None:
    """Commit it: what was remembered in it holds."""
    command(connection, "COMMIT")
    remembered.of(connection).committed()


def run_one(transaction: Transaction, waiting: Waiting[T], *, alone: bool) -> Outcome[T]:
    """Run one closure so that its failure undoes its own changes only."""
    transaction.correlation_id = waiting.correlation_id
    if alone:
        return _judged(capture(waiting.closure, transaction))
    connection = transaction.connection
    mark = transaction.mark()
    command(connection, "SAVEPOINT one")
    result = _judged(capture(waiting.closure, transaction))
    if isinstance(result, Value):
        command(connection, "RELEASE one")
    else:
        transaction.rewind(mark)
        command(connection, "ROLLBACK TO one")
        command(connection, "RELEASE one")
    return result


def _judged(result: Outcome[T]) -> Outcome[T]:
    """Classify an error: if the database fails inside a closure, the whole transaction fails, because its state is
    unknown.

    A value that no database could store fails only its own closure.
    """
    if isinstance(result, Error):
        if isinstance(result.error, DBAPIError):
            raise result.error
        if (refusal := refusal_of(result.error)) is not None:
            return Error(refusal)
    return result
