"""Faults of clients: they are counted, logged in one line a minute, and never cause a traceback above DEBUG (D6).

A client may send anything, as often as it likes, so nothing that a client does may write a log line of its own. An
error of ours still does: :meth:`ClientFaults.record` decides which of the two it was.
"""

from __future__ import annotations

import logging
import ssl
from collections import Counter
from collections.abc import Iterable, Mapping
from traceback import walk_tb
from types import TracebackType

import trio

from logconf import get_logger

EVERY = 60.0
"""Seconds between two log lines with the counts."""
_OURS = ("actors", "supervision", "logconf")
_LIBRARIES = ("hypercorn", "h11", "wsproto", "trio_websocket", "ssl", "trio._ssl")
"""Libraries that read a client's bytes before we do, and may raise anything for them."""
_CARRIERS = ("actors.net.streams", "actors.feed", "actors.api.server")
"""Our modules that read from a client's connection and write to it."""
_LEFT = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, ConnectionError)
_logger = get_logger("actors.net")


class ClientFaults:
    """``counts``: how often each fault happened since the start, by (port, reason)."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._unlogged: Counter[tuple[str, str]] = Counter()
        self._some = trio.Event()
        self._logging = trio.Lock()

    def count(self, port: str, reason: str, *, logged: bool = True) -> None:
        """Count one fault. ``reason`` is one of a few fixed texts, never a client's.

        ``logged``: whether it is part of the log line; what browsers do without being asked is not.
        """
        self.counts[port, reason] += 1
        if logged:
            self._unlogged[port, reason] += 1
            self._some.set()

    def record(
        self,
        port: str,
        error: BaseException,
        logger: logging.Logger,
        message: str,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """``error`` ended one connection: count it if its client is the cause, else log it as a fault of ours."""
        if caused_by_client(error):
            self.count(port, "broken protocol")
            logger.debug(message, exc_info=error, extra=extra, stacklevel=2)
        else:
            logger.error(message, exc_info=error, extra=extra, stacklevel=2)

    async def log_counts(self) -> None:
        """Log what was counted, a line a minute where there is something, until cancelled.

        Every server calls this; of all of them one logs at a time.
        """
        async with self._logging:
            try:
                while True:
                    await self._some.wait()
                    await trio.sleep(EVERY)
                    self._log()
            finally:
                self._log()

    def _log(self) -> None:
        if not self._unlogged:
            return
        found: dict[str, dict[str, int]] = {}
        for (port, reason), number in sorted(self._unlogged.items()):
            found.setdefault(port, {})[reason] = number
        _logger.info("%d requests or connections were refused", self._unlogged.total(), extra={"refused": found})
        self._unlogged.clear()
        self._some = trio.Event()


def caused_by_client(error: BaseException) -> bool:
    """Whether what a client sent, or that it left, explains ``error``; of a group, all of it.

    It does if the client's connection broke (not one of ours to somewhere else), and if the innermost code that is ours
    or a protocol library's is the library's. What our own code raised is a fault of ours.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(caused_by_client(inner) for inner in error.exceptions)
    modules = _modules(error.__traceback__)
    if isinstance(error, _LEFT):
        return any(_is_in(module, (*_LIBRARIES, *_CARRIERS)) for module in modules)
    innermost = next((module for module in reversed(modules) if _is_in(module, (*_OURS, *_LIBRARIES))), "")
    return _is_in(innermost, _LIBRARIES)


def _modules(traceback: TracebackType | None) -> list[str]:
    """The modules that were running, from the place where the error was caught inwards."""
    return [str(frame.f_globals.get("__name__", "")) for frame, _line in walk_tb(traceback)]


def _is_in(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
