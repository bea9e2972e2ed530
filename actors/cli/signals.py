"""The signals that end a supervisor (C1), caught until its process has ended.

A signal to a whole process group may arrive several times, from the terminal and from wrappers. So signals that follow
one another within 0.3 s count as one. The first one stops the run in order; the next one after a pause ends the process
at once. The handlers stay when trio has ended: a repeated signal must not kill a process that is closing in order. An
interpreter that ends puts the default actions back, except for signals that are ignored: the very last thing is to
ignore them.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType

import trio

from actors.cli.exit_statuses import ExitStatus
from logconf import flush

SAME_SIGNAL_SECONDS = 0.3
_FLUSH_SECONDS = 0.1


class StopSignals:
    """Catches ``numbers`` from now on; made in the main thread, before trio runs.

    ``first``: the signal that stops the run; None: there was none yet.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self.first: signal.Signals | None = None
        self._numbers = tuple(numbers)
        self._last = -math.inf
        self._notify: Callable[[], None] | None = None
        for number in self._numbers:
            signal.signal(number, self._arrived)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # ignoring it would be inherited by programs of jobs
            signal.signal(signal.SIGHUP, _ignored)

    async def wait(self) -> signal.Signals:
        """The first signal, once it has arrived, which may have been before this call."""
        token, event = trio.lowlevel.current_trio_token(), trio.Event()
        self._notify = lambda: token.run_sync_soon(event.set, idempotent=True)
        try:
            if self.first is None:
                await event.wait()
            else:
                await trio.lowlevel.checkpoint()
        finally:
            self._notify = None
        assert self.first is not None
        return self.first

    @staticmethod
    def detach() -> None:
        """Let trio's loop no longer be woken by signals, as the last act in it; the handlers stay.

        Trio closes the pipe by which signals wake it before it takes it back. The interpreter reports each signal that
        cannot write there, and does so in the signal handler under a lock, which the interrupted code may hold: the
        process would never end.
        """
        signal.set_wakeup_fd(-1)

    def ignore(self) -> None:
        """Ignore them until the process has ended. Programs that are started from now on would ignore them, too."""
        for number in self._numbers:
            signal.signal(number, signal.SIG_IGN)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        pause, self._last = now - self._last, now
        if pause < SAME_SIGNAL_SECONDS:
            return
        if self.first is not None:
            _end_at_once(number)
        self.first = signal.Signals(number)
        if self._notify is not None:
            self._notify()


def _ignored(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""


def _end_at_once(number: int) -> None:
    """Write the last log lines, from a thread: the interrupted code may hold locks of the log; then end."""
    try:
        writing = threading.Thread(target=flush, args=(_FLUSH_SECONDS,), daemon=True)
        writing.start()
        writing.join(2 * _FLUSH_SECONDS)
    finally:
        os._exit(ExitStatus.SIGNALLED + number)
