"""Reports: one structured record for everything that a supervisor does. They are logged, and sent to subscribers.

A supervisor never waits for a reader. Each reader has a buffer of `READER_BUFFER` reports; if it is full, the oldest
one is dropped, and one `lost` report in its place says how many are missing.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
from collections.abc import AsyncIterator

import attrs
import trio

from logconf import bind_correlation_id, find_origin, get_logger, log_from

logger = get_logger("supervision")

READER_BUFFER = 1000  # some 100 kB a reader; a crash loop at full budget stays far below it between two reads


class ReportKind(enum.StrEnum):
    """What happened, with the level and the message of its line in the log."""

    level: int
    message: str

    def __new__(cls, kind: str, level: int, message: str) -> ReportKind:
        """A member is its name in lower case."""
        member = str.__new__(cls, kind)
        member._value_, member.level, member.message = kind, level, message
        return member

    START = "start", logging.DEBUG, "Child is starting"
    READY = "ready", logging.DEBUG, "Child is ready"
    EXIT = "exit", logging.DEBUG, "Child has ended"
    RESTART = "restart", logging.WARNING, "Restarting child"
    BACKOFF = "backoff", logging.WARNING, "Restart of child is delayed"
    STOPPING = "stopping", logging.DEBUG, "Stopping child"
    STOPPED = "stopped", logging.DEBUG, "Child is stopped"
    OVERRUN = "overrun", logging.ERROR, "Child has outlived its shutdown limit"
    GIVE_UP = "give_up", logging.ERROR, "Child fails beyond its limits"
    START_FAILED = "start_failed", logging.ERROR, "Child did not become ready"
    HUNG = "hung", logging.ERROR, "Child has missed its heartbeat"
    SHUTDOWN_ERROR = "shutdown_error", logging.WARNING, "Child did not stop properly"
    LOST = "lost", logging.DEBUG, "Reports were dropped"


_FAILURE = logging.WARNING, "Child has failed"
_HELPERS = {__file__, os.path.join(os.path.dirname(__file__), "state.py")}  # noqa: PTH118, PTH120 - as code objects have it
"""Files that log for others: the source in the log is their caller."""
_LOGGED = ("supervisor", "child", "incarnation", "reason", "delay", "budget_used")
_WITH_TRACEBACK = frozenset({ReportKind.EXIT, ReportKind.START_FAILED, ReportKind.SHUTDOWN_ERROR})


@attrs.frozen
class Report:
    """One thing that happened.

    kind -- start (entered), ready, exit (ended by itself), restart (one unit of the budget is being used), backoff
        (waiting `delay` seconds first), stopping, stopped, overrun, give_up, start_failed, hung, shutdown_error, lost.
    supervisor -- path of names, outermost first: "top/inner".
    child, incarnation -- whom it is about; None where it is about the supervisor.
    reason -- one word or phrase: "failed", "returned", "cancelled", "hung", "stopped", ...
    cause -- the exception behind it, whole, groups too.
    at -- `trio.current_time()`.
    delay -- seconds until the restart (backoff).
    budget_used -- restarts inside the window, this one included.
    correlation_id -- that of the request that asked for it, or of the child's task when it ended.
    count -- reports missing here (lost).
    """

    kind: ReportKind
    supervisor: str
    child: str | None = None
    incarnation: int | None = None
    reason: str | None = None
    cause: BaseException | None = None
    at: float = 0.0
    delay: float | None = None
    budget_used: int = 0
    correlation_id: str | None = None
    count: int = 0


class Reader:
    """The buffer of one subscriber: a memory channel that never blocks its sender."""

    __slots__ = ("_lost", "_send", "channel")

    def __init__(self) -> None:
        # one slot more than the buffer, for the `lost` report
        self._send, self.channel = trio.open_memory_channel[Report](READER_BUFFER + 1)
        self._lost = 0

    def put(self, report: Report) -> None:
        """Queue `report`; if the buffer is full, drop the oldest report."""
        # the channel's own queue: its public face can drop the oldest, but put nothing in its place
        waiting = self._send._state.data
        if not waiting or waiting[0].kind is not ReportKind.LOST:
            self._lost = 0
        if len(waiting) - bool(self._lost) >= READER_BUFFER:
            if self._lost:
                waiting.popleft()
            waiting.popleft()
            self._lost += 1
            waiting.appendleft(Report(ReportKind.LOST, report.supervisor, at=report.at, count=self._lost))
        with contextlib.suppress(trio.BrokenResourceError):  # the reader closed its end inside its block
            self._send.send_nowait(report)

    def close(self) -> None:
        """End the stream; reports that are queued can still be read."""
        self._send.close()


@attrs.define(eq=False)
class Reporter:
    """Sends one supervisor's reports to the log, to its readers, and to the readers of the supervisors above it."""

    path: str
    parent: Reporter | None = None
    readers: list[Reader] = attrs.field(factory=list)

    def _all_readers(self) -> list[Reader]:
        return [*self.readers, *(self.parent._all_readers() if self.parent is not None else ())]

    def has_readers(self, kind: ReportKind) -> bool:
        """Whether a report of `kind` would be logged or read (an exit may be a failure, which is logged higher)."""
        least = logging.WARNING if kind is ReportKind.EXIT else kind.level
        return logger.isEnabledFor(least) or bool(self._all_readers())

    def publish(self, report: Report) -> None:
        """Log `report` once and hand it to every reader."""
        with contextlib.suppress(Exception):  # a handler or a filter of the host's: it must not end the tree
            self._log(report)
        for reader in self._all_readers():
            reader.put(report)

    def _log(self, report: Report) -> None:
        failed = report.kind is ReportKind.EXIT and report.reason != "returned"
        level, message = _FAILURE if failed else (report.kind.level, report.kind.message)
        if not logger.isEnabledFor(level):
            return
        fields = {name: getattr(report, name) for name in _LOGGED} | {"report": report.kind.value}
        cause = report.cause if report.kind in _WITH_TRACEBACK else None
        with bind_correlation_id(report.correlation_id):
            extra = {name: value for name, value in fields.items() if value is not None}
            log_from(find_origin(_HELPERS), logger, level, message, extra=extra, exc_info=cause)

    @contextlib.asynccontextmanager
    async def subscribe(self) -> AsyncIterator[trio.MemoryReceiveChannel[Report]]:
        """A channel with every report from now on; it ends with the run."""
        reader = Reader()
        self.readers.append(reader)
        try:
            yield reader.channel
        finally:
            if reader in self.readers:
                self.readers.remove(reader)
            reader.close()
            reader.channel.close()

    def close(self) -> None:
        """End every stream, because the run is over."""
        readers, self.readers = self.readers, []
        for reader in readers:
            reader.close()
