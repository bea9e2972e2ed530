"""Sampling for noisy loggers. Off unless a filter is put on a logger.

    get_logger("noisy").addFilter(SamplingFilter(first=10, thereafter=100, interval=1.0))

The first lines of each interval pass, then every m-th; the next line that passes says how many did not.
"""

from __future__ import annotations

import logging
import threading

from logconf.records import EXTRA, extra_of


class SamplingFilter(logging.Filter):
    """Lets `first` records of each `interval` seconds pass, then every `thereafter`-th (0: none).

    Records of `below` (default WARNING) and above always pass. The next record that passes has the number of suppressed
    ones as `extra.suppressed`, and as `record.suppressed`, unless the call has a field of that name. On a logger it
    samples the logger's own records; on a handler, all that arrive there.
    """

    def __init__(self, *, first: int, thereafter: int, interval: float = 1.0, below: int = logging.WARNING) -> None:
        super().__init__()
        if first < 0 or thereafter < 0 or interval <= 0:
            raise ValueError("first and thereafter must not be negative, and interval must be more than 0 seconds")
        self._first = first
        self._thereafter = thereafter
        self._interval = interval
        self._below = below
        self._lock = threading.Lock()
        self._window_start = float("-inf")
        self._seen = 0
        self._suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes; time is the record's own."""
        if record.levelno >= self._below:
            return True
        with self._lock:
            if not 0 <= record.created - self._window_start < self._interval:  # also after the clock was set back
                self._window_start = record.created
                self._seen = 0
            self._seen += 1
            beyond = self._seen - self._first
            if beyond > 0 and (not self._thereafter or beyond % self._thereafter):
                self._suppressed += 1
                return False
            suppressed, self._suppressed = self._suppressed, 0
        if suppressed:
            own = extra_of(record) or {}
            if "suppressed" not in own:
                record.__dict__[EXTRA] = {**own, "suppressed": suppressed}
                record.__dict__["suppressed"] = suppressed
        return True
