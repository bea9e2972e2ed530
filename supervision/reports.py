"""Reports: one structured record for everything a supervisor does, logged, and sent to whoever subscribed.

A supervisor never waits for a reader: each reader has a buffer of `READER_BUFFER` reports; what does not fit pushes the
oldest out, and one `lost` report in its place says how many are missing.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator
from typing import Literal, Protocol

import attrs
import trio

from logconf import bind_correlation_id, find_origin, get_logger, log_from

logger = get_logger("supervision")

READER_BUFFER = 1000  # some 100 kB a reader; a crash loop at full budget stays far below it between two reads

ReportKind = Literal[
    "start",
    "ready",
    "exit",
    "restart",
    "backoff",
    "stopping",
    "stopped",
    "overrun",
    "give_up",
    "start_failed",
    "hung",
    "shutdown_error",
    "lost",
]

_LEVELS: dict[ReportKind, tuple[int, str]] = {
    "start": (logging.DEBUG, "Child is starting"),
    "ready": (logging.DEBUG, "Child is ready"),
    "exit": (logging.DEBUG, "Child has ended"),
    "restart": (logging.WARNING, "Restarting child"),
    "backoff": (logging.WARNING, "Restart of child is delayed"),
    "stopping": (logging.DEBUG, "Stopping child"),
    "stopped": (logging.DEBUG, "Child is stopped"),
    "overrun": (logging.ERROR, "Child has outlived its shutdown limit"),
    "give_up": (logging.ERROR, "Child fails beyond its limits"),
    "start_failed": (logging.ERROR, "Child did not become ready"),
    "hung": (logging.ERROR, "Child has missed its heartbeat"),
    "shutdown_error": (logging.WARNING, "Child did not stop properly"),
}
_FAILURE = (logging.WARNING, "Child has failed")
_HELPERS = {__file__, os.path.join(os.path.dirname(__file__), "state.py")}  # noqa: PTH118, PTH120 - as code objects have it
"""Files that log for others: the line in the log names their caller."""
_WITH_TRACEBACK = frozenset({"exit", "start_failed", "shutdown_error"})


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


class Listener(Protocol):
    """Somebody whom reports are handed to. Neither call may block or raise."""

    def put(self, report: Report) -> None:
        """One report."""

    def close(self) -> None:
        """There will be no more."""


class Reader:
    """One subscriber's buffer: a memory channel that never blocks its sender."""

    __slots__ = ("_lost", "_receive", "_send")

    def __init__(self) -> None:
        # one slot more than the buffer, for the `lost` report
        self._send, self._receive = trio.open_memory_channel[Report](READER_BUFFER + 1)
        self._lost = 0

    @property
    def channel(self) -> trio.MemoryReceiveChannel[Report]:
        """Where the subscriber reads."""
        return self._receive

    def put(self, report: Report) -> None:
        """Queue `report`; make room for it by dropping the oldest."""
        # the channel's own queue: its public face can drop the oldest, but put nothing in its place
        waiting = self._send._state.data
        if not waiting or waiting[0].kind != "lost":
            self._lost = 0
        if len(waiting) - bool(self._lost) >= READER_BUFFER:
            if self._lost:
                waiting.popleft()
            waiting.popleft()
            self._lost += 1
            waiting.appendleft(Report("lost", report.supervisor, at=report.at, count=self._lost))
        with contextlib.suppress(trio.BrokenResourceError):  # the reader closed its end inside its block
            self._send.send_nowait(report)

    def close(self) -> None:
        """End the stream; what is queued can still be read."""
        self._send.close()


class Reporter:
    """Where one supervisor's reports go: the log, its readers, and the readers of the supervisors around it."""

    __slots__ = ("parent", "path", "readers")

    def __init__(self, path: str) -> None:
        self.path = path
        self.parent: Reporter | None = None
        self.readers: list[Listener] = []

    def has_readers(self, kind: ReportKind) -> bool:
        """Whether a report of `kind` would be logged or read (an exit may be a failure, which is logged higher)."""
        if logger.isEnabledFor(logging.WARNING if kind == "exit" else _LEVELS[kind][0]):
            return True
        reporter: Reporter | None = self
        while reporter is not None:
            if reporter.readers:
                return True
            reporter = reporter.parent
        return False

    def publish(self, report: Report) -> None:
        """Log `report` once and hand it to every reader."""
        self._log(report)
        reporter: Reporter | None = self
        while reporter is not None:
            for reader in reporter.readers:
                reader.put(report)
            reporter = reporter.parent

    def _log(self, report: Report) -> None:
        failed = report.kind == "exit" and report.reason != "returned"
        level, message = _FAILURE if failed else _LEVELS[report.kind]
        if not logger.isEnabledFor(level):
            return
        fields = {
            "supervisor": report.supervisor,
            "child": report.child,
            "incarnation": report.incarnation,
            "reason": report.reason,
            "delay": report.delay,
            "budget_used": report.budget_used,
            "report": report.kind,
        }
        cause = report.cause if report.kind in _WITH_TRACEBACK else None
        with bind_correlation_id(report.correlation_id):
            extra = {name: value for name, value in fields.items() if value is not None}
            log_from(find_origin(_HELPERS), logger, level, message, extra=extra, exc_info=cause)

    @contextlib.asynccontextmanager
    async def subscribe(self) -> AsyncIterator[trio.MemoryReceiveChannel[Report]]:
        """A channel of every report from now on; it ends with the run."""
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
        """The run is over: every stream ends."""
        readers, self.readers = self.readers, []
        for reader in readers:
            reader.close()
