"""The one handler: renders a record once and hands the bytes to every sink's writer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from logconf.records import CorrelationIDFilter
from logconf.writer import DRAIN_SECONDS, Statistics, Writer

Renderer = Callable[[logging.LogRecord], bytes]


class StructuredHandler(logging.Handler):
    """Takes no lock: rendering is thread-safe and the writers queue. Never raises, never prints a logging error."""

    def __init__(self, render: Renderer, writers: Sequence[Writer]) -> None:
        super().__init__()
        self.filters = [CorrelationIDFilter()]
        self._own_filters = list(self.filters)
        self._render = render
        self.writers = tuple(writers)

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        """No lock: see the class."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and emit. A renderer asks for the correlation ID itself, so the handler's own filter has no work."""
        if self.filters != self._own_filters:
            passed: object = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # since Python 3.12 a filter may replace the record
                record = passed
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """As `handle`, without filters."""
        line = self._render(record)
        for writer in self.writers:
            writer.put(line, record.levelno)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Nothing: errors are counted by the writers."""

    def flush(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until what was logged before has been written, at most `seconds` for all sinks together."""
        deadline = time.monotonic() + seconds
        for writer in self.writers:
            writer.flush(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Drain all sinks within one deadline and stop; lines that come later are written by their callers."""
        deadline = time.monotonic() + DRAIN_SECONDS
        for writer in self.writers:
            writer.close(max(0.0, deadline - time.monotonic()))
        super().close()

    def statistics(self) -> list[Statistics]:
        """One per sink, stdout first."""
        return [writer.statistics() for writer in self.writers]
