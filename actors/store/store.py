"""The store: one writer whose transactions many callers share, and readers beside it.

A write is a function of a :class:`~actors.store.transaction.Transaction`, here called a closure.

**The writer** is one connection; the task that uses it holds ``_turn``. A caller puts its closure into ``_queue`` and
waits for the turn. The task that gets it takes up to ``_GROUP`` waiting closures, its own among them, and runs them in
one transaction; the other callers then find their outcome and run nothing. So the cost of a commit (a sync of the disk)
is shared. Each closure of a group runs in a savepoint, so its failure undoes only its own changes and events; a single
one needs none. A failure of the database itself is not one closure's failure: it fails every caller of the group.

**Invariants.** Results and events are released after COMMIT, never before: no caller and no subscriber learns of
anything that a crash could undo. Events are published in the order of their numbers, by the task that still holds the
turn. After each transaction, committed or not, the connection has none open. A step of the wall clock is written in a
transaction of its own before any closure sees the new time.

**What can happen between two lines.** If a caller is cancelled before its closure was taken into a group, it removes
the closure, which never runs. After that the closure runs to its end and is published, shielded from cancellation; its
caller may be cancelled afterwards and then does not learn the result. If the process dies before COMMIT, nothing of the
group is kept. If it dies after COMMIT and before the release, all of it is kept and nobody was answered: a caller that
repeats needs an idempotency key, and readers of events resume from the rows. A read sees one snapshot, and never a part
of a group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import trio
from outcome import Error, Outcome, Value
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from actors.jobs.options import SeriesOptions
from actors.jobs.records import Event
from actors.kernel.steps import Step, StepWatch
from actors.store import clock_steps, dialect, remembered, rows, wal
from actors.store.dialect import explained, refusal_of
from actors.store.errors import StoreBusy, StoreClosed, StoreError, StoreUnavailable
from actors.store.executor import Executor, seconds_to_read
from actors.store.group import Closure, Waiting, begin, commit, run_one
from actors.store.log_size import LOOK, LogSize
from actors.store.long_reads import interrupted_after
from actors.store.prepared import command
from actors.store.revision import bring_up_to_date
from actors.store.transaction import JobEventWriter, Transaction
from logconf import get_correlation_id
from supervision import faults

T = TypeVar("T")
Publish = Callable[[list[Event]], None]

PROBE_SECONDS = 25.0
"""Seconds between two writes of the probe: health promises to notice an unwritable store within 30 s (D6)."""
_PROBE = "INSERT INTO counters VALUES ('write_probe', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"

_GROUP = 100
"""The most closures that share one transaction; with more, the cost of a commit per closure hardly falls."""

# Fault points, for each caller: before its closure is queued, and between its commit and its knowing of it.
COMMIT_BEFORE, COMMIT_AFTER = "commit.before", "commit.after"


class Store:
    """A database in the state directory (or in memory, ``path=None``).

    ``now`` gives the time of transactions, ``executor`` runs them, ``publish`` gets the events of each after COMMIT, in
    order. ``engine``: a database in memory that outlives this store, for simulations. ``steps`` notices steps of the
    wall clock, whose consequences are written first. ``housekeeping`` runs what is done beside the writer (by default
    ``executor`` does). ``series_bytes``: the most bytes of all series. ``troubles``: why the last transaction failed.
    ``closures``: how many closures were run until now.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        executor: Executor,
        now: Callable[[], datetime],
        engine: Engine | None = None,
        housekeeping: Executor | None = None,
        steps: StepWatch | None = None,
        series_bytes: int = SeriesOptions().max_bytes,
    ) -> None:
        self.path = path
        self.series_bytes = series_bytes
        self.publish: Publish = lambda _events: None
        self.outbox: JobEventWriter | None = None
        self.closures = 0
        self.troubles: tuple[str, ...] = ()
        self._where = str(path) if path else "the database in memory"
        self._executor = self._readers = executor
        self._housekeeping = housekeeping or executor
        self._log = None if path is None else LogSize(path)
        self.now = now
        self._steps = steps
        self._engine = engine if engine is not None else dialect.open_engine(path)
        self._writer: Connection | None = None
        self._queue: deque[Waiting[Any]] = deque()
        self._turn = trio.Lock()

    async def open(self, readers: Executor | None = None) -> None:
        """Connect and bring the schema up to date. Raises :class:`StoreError`, which says what to do."""
        self._readers, now = readers or self._executor, self.now()
        await self._executor.run(lambda: self._connect(now))

    def _connect(self, now: datetime) -> None:
        with explained(self._where), nullcontext() if self.path is None else wal.checked(self.path):
            try:
                self._writer = self._engine.connect()
                bring_up_to_date(self._writer)
                dialect.prepare_writer(self._writer)
                if self._steps is not None:
                    begin(self._writer, self._where)
                    if (ago := clock_steps.start(self._writer, now)) is not None:
                        self._steps.remember_leap(ago)
                    commit(self._writer)
            except (StoreError, SQLAlchemyError):
                self._disconnect()
                raise

    def _opened(self) -> Connection:
        """The writer's connection. Raises :class:`StoreClosed` before the store is open, and after its end."""
        if self._writer is None:
            raise StoreClosed(f"{self._where} is closed: its runtime has ended, or is starting it again")
        return self._writer

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    async def keep_log_small(self) -> None:
        """Keep the write-ahead log small until cancelled."""
        while True:
            await trio.sleep(LOOK)
            if self._log is not None:
                await self._housekeeping.run(self._log.look)

    async def move_log(self) -> None:
        """Move the write-ahead log into the database beside the writer, which would else do it within a commit."""
        if self._log is not None:
            await self._housekeeping.run(self._log.move)

    async def keep_probing(self) -> None:
        """Write a row from time to time until cancelled, so that a disk that accepts nothing is noticed even without
        any work.

        The result is in :attr:`reasons`.
        """
        while True:
            await trio.sleep(PROBE_SECONDS)
            await self._take_turn([Waiting(lambda tx: command(tx.connection, _PROBE), "")])

    @property
    def log_bytes(self) -> int:
        """How long the write-ahead log was when it was last looked at."""
        return 0 if self._log is None else self._log.bytes

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the store is unhealthy; empty if it is healthy."""
        return self.troubles + (() if self._log is None else self._log.troubles)

    async def aclose(self) -> None:
        """Wait for the transaction that runs, then close."""
        async with self._turn:
            self._disconnect()

    async def write(self, closure: Closure[T]) -> T:
        """Run ``closure`` in the writer's transaction and return its result once that is committed.

        Whatever the closure raises is raised here, and nothing of it is kept. If this is cancelled before its
        transaction began, the closure never runs; after that it runs to its end.
        """
        (outcome,) = await self.write_together([(get_correlation_id(), closure)])
        result: T = outcome.unwrap()
        return result

    async def write_together(self, closures: Sequence[tuple[str, Closure[Any]]]) -> list[Outcome[Any]]:
        """Like :meth:`write` for several closures, in their order: each sees what those before it wrote, and fails
        alone.

        ``closures``: each with the correlation ID under which it is written. As many as fit share a transaction.
        """
        if faults.active is not None:
            await faults.async_point(COMMIT_BEFORE, "store")
        outcomes = await self._take_turn([Waiting(closure, correlation_id) for correlation_id, closure in closures])
        if faults.active is not None:
            await faults.async_point(COMMIT_AFTER, "store")
        return outcomes

    async def _take_turn(self, mine: Sequence[Waiting[Any]]) -> list[Outcome[Any]]:
        self._queue.extend(mine)
        try:
            await self._turn.acquire()
        except trio.Cancelled:
            for waiting in mine:
                if waiting in self._queue:
                    self._queue.remove(waiting)
            raise
        try:
            for waiting in mine:
                if waiting.outcome is None:
                    await self._run_group(waiting)
        finally:
            self._turn.release()
        return [waiting.outcome for waiting in mine if waiting.outcome is not None]

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run ``query`` on a connection of its own, in one snapshot. Raises :class:`ReadTooSlow`
        (:func:`seconds_to_read`).
        """
        seconds = seconds_to_read()

        def run() -> T:
            with explained(self._where), self._snapshot(seconds) as connection:
                try:
                    return query(connection)
                except (UnicodeEncodeError, StatementError) as error:
                    if rows.read_leniently(connection, error):
                        return query(connection)
                    if isinstance(error, DBAPIError) or (refusal := refusal_of(error)) is None:
                        raise
                    raise refusal from error

        return await self._readers.run(run)

    @contextmanager
    def _snapshot(self, seconds: float | None = None) -> Iterator[Connection]:
        """A connection inside a read transaction; the only one there is where the database lives in memory."""
        writer = self._opened()
        if self.path is None:
            yield writer
            return
        with self._engine.connect() as connection:
            command(connection, "BEGIN")
            try:
                with nullcontext() if seconds is None else interrupted_after(connection, seconds):
                    yield connection
            finally:
                command(connection, "ROLLBACK")

    async def _run_group(self, mine: Waiting[Any]) -> None:
        group = [self._queue.popleft() for _ in range(min(_GROUP, len(self._queue)))]
        if mine not in group:  # it stands behind more than a full group
            self._queue.remove(mine)
            group.append(mine)
        self.closures += len(group)
        now, step = (self.now(), None) if self._steps is None else self._steps.read()
        with trio.CancelScope(shield=True):
            events = await self._executor.run(lambda: self._transact(group, now, step))
        if self._steps is not None and step is not None and step.forward is not None:
            self._steps.leapt()
        if events:
            self.publish(events)

    def _transact(self, group: list[Waiting[Any]], now: datetime, step: Step | None) -> list[Event]:
        """One transaction for all of ``group``; what fails it fails them all, and leaves nothing begun."""
        try:
            connection = self._opened()
            with explained(self._where):
                begin(connection, self._where)
                if step is not None and self._steps is not None:
                    clock_steps.follow(connection, step)
                    commit(connection)
                    self._steps.applied(step)
                    begin(connection, self._where)
                events = self._run_closures(group, Transaction(connection, now, self.series_bytes, self.outbox))
        except (StoreError, SQLAlchemyError) as error:
            events = []
            self.troubles = (str(error),) if isinstance(error, StoreBusy | StoreUnavailable) else self.troubles
            for waiting in group:
                waiting.outcome = Error(error)
            if self._writer is not None:  # the next try can read it
                rows.read_leniently(self._writer, error.__cause__)
        finally:
            if self._writer is not None:
                dialect.roll_back(self._writer)
                remembered.of(self._writer).end()
        return events

    def _run_closures(self, group: list[Waiting[Any]], transaction: Transaction) -> list[Event]:
        alone = len(group) == 1
        outcomes = [run_one(transaction, waiting, alone=alone) for waiting in group]
        events: list[Event] = []
        if not alone or isinstance(outcomes[0], Value):
            events = transaction.flush()
            commit(transaction.connection)
            transaction.committed()
            self.troubles = ()
        for waiting, result in zip(group, outcomes, strict=True):
            waiting.outcome = result
        return events
