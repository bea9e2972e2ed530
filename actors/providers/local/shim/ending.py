"""Watching the program until it and everything it started has ended, and seeing to it that this happens."""

# ruff: noqa: SIM105 - pathlib and contextlib would cost each shim 8 ms and 1 MB

from __future__ import annotations

import os
import signal
import time

from .system import children
from .trimming import LOOK_AT_LOG, trim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
LOOK_AGAIN = 0.1  # seconds between looks while processes are being ended
LONG = 86_400.0  # seconds; how long to sleep when only a signal can bring news


class Ending:
    """One program's way to its end.

    It stays unreaped until all others are gone: so its pid, which names the process group, cannot be given to a
    stranger while the group is being signalled. Signals to stop are blocked here and fetched one by one.
    """

    def __init__(self, child: int, grace: float, deadline: float | None, log_bytes: int | None = None) -> None:
        self.child, self.grace, self.deadline, self.log_bytes = child, grace, deadline, log_bytes
        self.ended_at: float | None = None
        self.kill_at: float | None = None
        self.status = 0
        self.cancelled = self.timed_out = self.killed = self.told_to_stop = False

    def watch(self) -> None:
        """Return when no process of the job is left."""
        while (others := self.look()) or self.ended_at is None:
            now = time.monotonic()
            if self.kill_at is None:
                self.timed_out = self.ended_at is None and self.deadline is not None and now >= self.deadline
                if self.timed_out or self.ended_at is not None:
                    self.stop(others)
            elif now >= self.kill_at:
                self.killed = self.killed or self.ended_at is None
                self.signal_all(signal.SIGKILL, others)
            self.wait()
            self.trim_log()
        self.status = os.waitpid(self.child, 0)[1]
        while late := self.look():  # a descendant that came to us between the last look and the reaping
            send(signal.SIGKILL, late)
            signal.sigtimedwait({signal.SIGCHLD}, LOOK_AGAIN)

    def look(self) -> list[int]:
        """Note the program's end, reap whoever else has ended, and return the other children that live."""
        if self.ended_at is None and os.waitid(os.P_PID, self.child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.ended_at = time.time()
        return [pid for pid in children() if pid != self.child and not os.waitpid(pid, os.WNOHANG)[0]]

    def wait(self) -> None:
        """Sleep until a signal or the next thing to do; a signal to stop begins the stopping."""
        seconds = LONG
        if self.kill_at is not None:
            seconds = LOOK_AGAIN
        elif self.deadline is not None:
            seconds = max(0.0, min(self.deadline - time.monotonic(), LONG))
        if self.log_bytes:
            seconds = min(seconds, LOOK_AT_LOG)
        arrived = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, seconds)
        if arrived and arrived.si_signo in STOP_SIGNALS and self.kill_at is None:
            others = self.look()
            if self.ended_at is None:  # whether it is a cancel is the intent's to say, not the signal's
                self.cancelled = os.path.lexists("cancel")
                self.told_to_stop = not self.cancelled
            self.stop(others)

    def trim_log(self) -> None:
        """Keep the output, which is our own standard output too, within its allowance."""
        if self.log_bytes:
            trim(1, self.log_bytes)

    def stop(self, others: list[int]) -> None:
        """Ask all processes of the job to end; those left after the grace time are killed."""
        self.kill_at = time.monotonic() + self.grace
        self.signal_all(signal.SIGTERM, others)
        self.signal_all(signal.SIGCONT, others)  # a stopped process cannot hear the first one

    def signal_all(self, number: int, others: list[int]) -> None:
        """Signal the program's group and every other child, which may have left the group."""
        try:
            os.killpg(self.child, number)
        except (ProcessLookupError, PermissionError):
            pass
        send(number, others)

    def outcome(self) -> dict[str, Any]:
        """How the program ended, as the exit record says it."""
        signalled = os.WIFSIGNALED(self.status)
        return {
            "code": None if signalled else os.WEXITSTATUS(self.status),
            "signal": os.WTERMSIG(self.status) if signalled else None,
            "cancelled": self.cancelled,
            "timed_out": self.timed_out,
            "killed_after_grace": self.killed,
            "told_to_stop": self.told_to_stop,
            "ended_at": self.ended_at,
        }


def send(number: int, pids: Iterable[int]) -> None:
    """Signal our own unreaped children, whose pids cannot have changed hands."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass
