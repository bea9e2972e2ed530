"""Watches the program until it and everything that it started have ended, and makes sure that this happens.

It also keeps the output within its limit on the disk: the middle is removed, and the beginning and the end stay. The
file keeps its length and every byte keeps its place, so that a reader's cursor (a byte offset) stays valid and a writer
that appends notices nothing; the removed part is a hole. RLIMIT_FSIZE cannot limit the log, because it would end a
training job at its first large checkpoint.
"""

# ruff: noqa: SIM105 - pathlib and contextlib would cost each shim 8 ms and 1 MB

from __future__ import annotations

import ctypes
import os
import signal
import time

from .cgroup import kill_cgroup
from .process_tree import LAST_CALL, TermOnce, descendants, send
from .system import STOP_SIGNALS, children_of, libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .log_pipe import LogPipe

LOOK_AGAIN = 0.1  # seconds between looks while processes are being ended
LOOK_AT_LOG = 2.0  # seconds between two looks at the size while a job runs
KEPT_HEAD = 4  # the first quarter of the allowance is the beginning of the output
_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of fallocate(2)
LONG = 86_400.0  # seconds; how long to sleep when only a signal can bring news


class Ending:
    """Brings one program to its end.

    The program is not reaped before all other processes are gone. So its pid, which names the process group, cannot be
    given to another process while the group is being signalled. Signals to stop are blocked here and fetched one by
    one. ``cgroup``: the job's own control group, whose processes the kernel can kill all at once.
    """

    def __init__(self, child: int, spec: dict[str, Any], pipe: LogPipe, cgroup: str = "") -> None:
        self.child, self.grace, self.pipe, self.cgroup = child, spec["grace_seconds"], pipe, cgroup
        self.deadline = time.monotonic() + spec["max_runtime"] if spec.get("max_runtime") else None
        self.log_bytes = spec.get("log_bytes")
        self.term = TermOnce()
        self.ended_at: float | None = None
        self.kill_at: float | None = None
        self.status: int | None = None  # as of waitpid
        self.cancelled = self.timed_out = self.killed = self.told_to_stop = False

    def watch(self) -> None:
        """Return when no process of the job is left."""
        while self.look() or self.ended_at is None:
            now = time.monotonic()
            if self.kill_at is None:
                self.timed_out = self.ended_at is None and self.deadline is not None and now >= self.deadline
                if self.timed_out or self.ended_at is not None:
                    self.stop()
            elif now < self.kill_at:
                self.terminate()
            else:
                self.killed = self.killed or self.ended_at is None
                self.kill()
            self.wait()
            self.trim_log()
        self.status = os.waitpid(self.child, 0)[1]
        while self.look():  # a descendant that came to us between the last look and the reaping
            self.kill()
            signal.sigtimedwait({signal.SIGCHLD}, LOOK_AGAIN)

    def look(self) -> bool:
        """Note the program's end, reap the other children that have ended, and return whether any process lives."""
        if self.ended_at is None and os.waitid(os.P_PID, self.child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.ended_at = time.time()
        self.pipe.look()
        ours = (self.child, self.pipe.pid)
        return bool([pid for pid in children_of(os.getpid()) if pid not in ours and not os.waitpid(pid, os.WNOHANG)[0]])

    def wait(self) -> None:
        """Sleep until a signal comes or the next thing is to be done. A signal to stop begins the stopping."""
        seconds = LONG
        if self.kill_at is not None or self.pipe.missing:
            seconds = LOOK_AGAIN
        elif self.deadline is not None:
            seconds = max(0.0, min(self.deadline - time.monotonic(), LONG))
        if self.log_bytes:
            seconds = min(seconds, LOOK_AT_LOG)
        arrived = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, seconds)
        if arrived and arrived.si_signo in STOP_SIGNALS and self.kill_at is None:
            self.look()
            if self.ended_at is None:  # whether it is a cancel is the intent's to say, not the signal's
                self.cancelled = os.path.lexists("cancel")
                self.told_to_stop = not self.cancelled
            self.stop()

    def trim_log(self) -> None:
        """Keep the output, which is also our own standard output, within its limit."""
        if self.log_bytes:
            trim(1, self.log_bytes)

    def stop(self) -> None:
        """Ask all processes of the job to end. Those that are left after the grace time are killed."""
        self.kill_at = time.monotonic() + self.grace
        self.terminate()

    def terminate(self) -> None:
        """Ask the processes that have not been asked yet: some may start, or be found, while others are ending."""
        last_call = self.kill_at is not None and self.kill_at - time.monotonic() <= self.grace * LAST_CALL
        self.term.send(descendants(self.pipe.pid), last_call)

    def kill(self) -> None:
        """Kill every process of the job, wherever it went. Those of one group or control group are killed at once."""
        if self.cgroup:
            kill_cgroup(self.cgroup)
        if self.status is None:
            try:
                os.killpg(self.child, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        for pid, (_, ticks) in descendants(self.pipe.pid).items():
            send(signal.SIGKILL, pid, ticks)

    def outcome(self) -> dict[str, Any]:
        """Return how the program ended, in the form of the exit record."""
        assert self.status is not None
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


def trim(fd: int, most: int) -> int:
    """Make ``fd`` take about ``most`` bytes at most on its disk. Returns where its hole ends, or 0 if it has none.

    A file system that cannot punch holes keeps the whole output: this limit is no reason to lose a job.
    """
    status = os.fstat(fd)
    if status.st_blocks * 512 <= most:
        return 0
    block = max(status.st_blksize, 4096)
    begin = most // KEPT_HEAD // block * block
    end = (status.st_size - (most - begin)) // block * block
    if end <= begin:
        return 0
    failed = libc().fallocate(fd, _HOLE, ctypes.c_int64(begin), ctypes.c_int64(end - begin))
    return 0 if failed else end
