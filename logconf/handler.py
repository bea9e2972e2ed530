"""The handler, which renders a record once and gives the bytes to every sink's writer; and draining at the end."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from logconf.records import CorrelationIDFilter
from logconf.writer import DRAIN_SECONDS, Statistics, Writer

_root = logging.getLogger()

Renderer = Callable[[logging.LogRecord], bytes]


class StructuredHandler(logging.Handler):
    """Renders records and gives the lines to the writers.

    It has no lock, because rendering is thread-safe and the writers queue. It never raises and never prints a logging
    error.
    """

    def __init__(self, render: Renderer, writers: Sequence[Writer]) -> None:
        super().__init__()
        self.filters = [CorrelationIDFilter()]
        self._own_filters = list(self.filters)
        self.renderer = render
        self.writers = tuple(writers)

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        """Create no lock: see the class."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and emit.

        The handler's own filter puts the correlation ID on the record for the root logger's other handlers; a renderer
        asks for it itself.
        """
        if len(_root.handlers) > 1 or not self.has_own_filters_only():
            passed: object = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # since Python 3.12 a filter may replace the record
                record = passed
        self.emit(record)
        return True

    def has_own_filters_only(self) -> bool:
        """Whether nobody has given it a filter, or taken its own."""
        return self.filters == self._own_filters

    def emit(self, record: logging.LogRecord) -> None:
        """Like `handle`, without filters."""
        line = self.renderer(record)
        for writer in self.writers:
            writer.put(line, record.levelno)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Do nothing: the writers count errors."""

    def flush(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until what was logged before has been written, at most `seconds` for all sinks together."""
        deadline = time.monotonic() + seconds
        for writer in self.writers:
            writer.flush(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Drain, and go on: `logging.config` closes the handlers that are there, even those that stay in use."""
        self.flush()
        super().close()

    def shut_down(self) -> None:
        """Drain all sinks within one deadline and stop; lines that come later are written by their callers."""
        deadline = time.monotonic() + DRAIN_SECONDS
        for writer in self.writers:
            writer.close(max(0.0, deadline - time.monotonic()))
        super().close()

    def statistics(self) -> list[Statistics]:
        """One per sink, stdout first."""
        return [writer.statistics() for writer in self.writers]


# The ends of a process: exit, SIGTERM, fork; and SIGHUP, which asks for the log file anew.
#
# Signal handlers are installed only where the default action holds, so an application's own stay. What they do is safe
# in the middle of a logging call: a flag, or a thread that drains while the interrupted code goes on and lets go of
# its locks.

_FORK_DRAIN_SECONDS = 1.0

_installed: StructuredHandler | None = None
_hooked = False


def installed_handler() -> StructuredHandler | None:
    """The handler of the last `configure_structured_logging`, or None."""
    return _installed


def drain_at_exit(handler: StructuredHandler | None, *, reopen_on_hangup: bool = False) -> None:
    """Drain `handler` at the end of the process. Outside the main thread no signal handler is installed."""
    global _installed, _hooked
    _installed = handler
    if handler is None:
        return
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_terminate)
    if reopen_on_hangup and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _on_hangup)


def _at_exit() -> None:
    if _installed is not None:
        _installed.shut_down()


def _on_terminate(signum: int, frame: FrameType | None) -> None:
    """Drain, then end by the signal as the process would have done; a second signal ends it at once."""
    signal.signal(signum, signal.SIG_DFL)

    def drain_and_die() -> None:
        if _installed is not None:
            _installed.flush()
        os.kill(os.getpid(), signum)

    try:
        threading.Thread(target=drain_and_die, name="logconf-drain", daemon=True).start()
    except RuntimeError:  # the interpreter is ending: its own exit drains
        os.kill(os.getpid(), signum)


def _on_hangup(signum: int, frame: FrameType | None) -> None:
    if _installed is not None:
        for writer in _installed.writers:
            writer.reopen()


def _before_fork() -> None:
    """Write what was logged before a fork, because a parent that becomes a daemon ends by `os._exit`."""
    if _installed is not None:
        _installed.flush(_FORK_DRAIN_SECONDS)


def _after_fork_in_child() -> None:
    if _installed is not None:
        for writer in _installed.writers:
            writer.after_fork_in_child()
