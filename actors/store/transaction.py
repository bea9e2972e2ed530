"""The transaction as a closure sees it, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, insert, update

from actors.jobs.events import EventType
from actors.jobs.options import SeriesOptions
from actors.jobs.records import Event, Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.store import remembered
from actors.store.prepared import Prepared
from actors.store.schema import counters, events
from actors.store.types import EncodedJSON, to_json
from logconf import Origin, find_origin

EVENT_COUNTER = "events"
_HELPERS = {__file__}
"""Files between the place that changes a job and :meth:`Transaction.emit`: a log line names the place, not these."""
_COUNT_ON = Prepared(update(counters).where(counters.c.name == EVENT_COUNTER).values(value=bindparam("last")))
_NEW = Prepared(insert(events))

_Pending = tuple[str, str | None, str, Mapping[str, Any], str, Origin | None]
"""Type, job, correlation ID, data, the same as JSON, and the place in the code that made the change."""


def passes_events_on(file: str) -> None:
    """Say that the module at ``file`` calls :meth:`Transaction.emit` on behalf of its callers."""
    _HELPERS.add(file)


class JobEventWriter(Protocol):
    """Writes what else follows from an event of a job, in the event's transaction."""

    def note(self, tx: Transaction, job: Job, event: EventType, data: Mapping[str, Any]) -> None:
        """An event of ``job`` with this ``data`` was recorded in ``tx``."""


class Transaction:
    """One transaction: a connection, the time at which it began, and the events that describe its changes.

    Event numbers come from one counter row that is updated last, so that they have no gap and follow the order of
    commits; an event of a failed closure never gets a number. ``correlation_id``: that of the request or cycle for
    which the present closure runs; "" if there is none. ``series_bytes``: the most bytes of all series. ``outbox``:
    gets the events of jobs.
    """

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        series_bytes: int = SeriesOptions().max_bytes,
        outbox: JobEventWriter | None = None,
    ) -> None:
        self.connection = connection
        self.now = now
        self.series_bytes = series_bytes
        self.outbox = outbox
        self.correlation_id = ""
        self._pending: list[_Pending] = []
        self._after_commit: list[Callable[[], None]] = []
        self._remembered = remembered.of(connection)
        self._closures = 0
        self._left: tuple[int, Any] = (0, None)

    def emit(self, type_: EventType, job_id: str | None, correlation_id: str, **data: Any) -> None:
        """Record one change: an event of ``type_`` is written with this transaction and published after it.

        Raises :class:`Refused` for data that cannot be stored: here it fails only its own closure; at the end it would
        fail those of every caller in the transaction.
        """
        try:
            encoded = to_json(data)
        except TypeError as error:
            raise Refused(f"a value cannot be kept: {error}", RefusalKind.INVALID) from None
        self._pending.append((str(type_), job_id, correlation_id, data, encoded, find_origin(_HELPERS)))

    def note_for(self, job: Job, type_: EventType, data: Mapping[str, Any]) -> None:
        """Let the outbox learn of an event of ``job`` that was just recorded."""
        if self.outbox is not None:
            self.outbox.note(self, job, type_, data)

    def last_event(self) -> int:
        """The number that the newest event has of those whose changes are visible here."""
        return self._counter() + len(self._pending)

    def next_order(self) -> int:
        """A number that grows with every call, transactions of the same instant included: a tie-breaker."""
        return self._remembered.next_order(self._counter() << 20)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Call ``act`` once this is committed, in the writer's thread, before results are released; it never raises.

        For what is kept in memory: the caller may be cancelled before it learns of the commit.
        """
        self._after_commit.append(act)

    def committed(self) -> None:
        """It is committed."""
        for act in self._after_commit:
            act()

    def leave(self, read: Any) -> None:
        """Leave what a closure knows at its end for the next one, which need not read it again."""
        self._left = (self._closures, read)

    def left(self) -> Any:
        """What the closure just before this one left; None: there was none, it failed, or it left nothing."""
        closure, read = self._left
        return read if closure == self._closures - 1 else None

    def mark(self) -> tuple[int, int]:
        """Where the next closure begins: a place to :meth:`rewind` to."""
        self._closures += 1
        return len(self._pending), len(self._after_commit)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Drop the events and actions since ``mark``: its closure was rolled back."""
        del self._pending[mark[0] :]
        del self._after_commit[mark[1] :]
        self._left = (0, None)
        self._remembered.forget()

    def flush(self) -> list[Event]:
        """Number and write the events; called once, at the end."""
        if not self._pending:
            return []
        first = self._counter() + 1
        written, rows = [], []
        for seq, (type_, job_id, correlation_id, data, encoded, origin) in enumerate(self._pending, first):
            row: Any = {"seq": seq, "time": self.now, "type": type_, "job_id": job_id, "correlation_id": correlation_id}
            written.append(Event(**row, data=data, origin=origin))
            rows.append({**row, "data": EncodedJSON(encoded)})
        _NEW.run_many(self.connection, rows)
        _COUNT_ON.run(self.connection, last=written[-1].seq)
        return written

    def _counter(self) -> int:
        """The number of the last event before this transaction: only :meth:`flush` changes it."""
        return self._remembered.counters(self.connection)[EVENT_COUNTER]
