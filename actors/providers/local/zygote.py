"""The supervisor's side of the zygote, the process from which shims are forked (:mod:`.shim.zygote`).

States: *absent*; *starting*, until it says that it is ready; *ready*; *asked* to fork a shim, whose answer was not read
yet. A start never waits for a zygote that is not ready: its shim is spawned, as where there is no zygote at all. One
that has ended, or has not answered in time and was killed for that, is followed by another after a pause, at the next
start or look. One of another likeness (its code, limits, environment ... changed) is replaced at once.

A forked shim waits for its command line, on a socket of its own. Where the zygote's answer is lost, nobody knows
whether it has forked; that socket is closed then, and a shim is spawned.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import attrs

from actors.providers.local.directory import closing
from actors.providers.local.launching import SHIM, likeness, moved_up, spawn
from actors.providers.local.shim.system import start_ticks
from actors.providers.local.subreaper import ours, reap
from logconf import get_logger

_logger = get_logger(__name__)

ANSWER_SECONDS = 3.0  # to answer a request: a fork takes milliseconds
END_SECONDS = 1.0  # for a killed one to be gone; it takes less than a millisecond
PAUSE_SECONDS = 5.0  # after it has failed or ended, before the next one is started
TITLE_ROOM = 8192  # bytes for the command line of a shim; with a longer one it is spawned
_LARGEST = 256  # bytes of a message from the zygote


def fits(argv: Sequence[str]) -> bool:
    """Return whether a forked shim can show this command line, by which it is known."""
    return len(_request(argv)) <= TITLE_ROOM


def _request(argv: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(word) + b"\0" for word in argv)


@attrs.frozen
class Forked:
    """A forked shim that waits for its command line, by its pid and a pidfd."""

    pid: int
    pidfd: int
    _line: socket.socket

    def command(self, argv: Sequence[str], fds: Sequence[int]) -> bool:
        """Give it its command line, its log and its leases. False: it surely runs no job, and ends."""
        try:
            socket.send_fds(self._line, [_request(argv)], fds)
        except OSError:  # it was killed before
            return False
        finally:
            self._line.close()
        return True


@attrs.define(eq=False)
class Zygote:
    """Holds at most one zygote process. Its user must let only one thread in at a time."""

    _channel: socket.socket | None = attrs.field(default=None, init=False)
    _line: socket.socket | None = attrs.field(default=None, init=False)  # to the shim that was asked for
    _pid: int = attrs.field(default=0, init=False)
    _pidfd: int = attrs.field(default=-1, init=False)
    _ready: bool = attrs.field(default=False, init=False)
    _likeness: tuple[object, ...] = attrs.field(default=(), init=False)
    _not_before: float = attrs.field(default=0.0, init=False)

    def ensure(self) -> bool:
        """Start a zygote where there is none, and replace one that differs from what would be started now.

        Returns whether there is one that is ready.
        """
        now = likeness()
        if self._channel is not None and self._likeness != now:
            self.close()
        self._ready = self._ready or self._receive(0.0)[0] == "ready"
        if self._channel is None and time.monotonic() >= self._not_before:
            try:
                self._start()
            except OSError as error:
                self._fail(f"cannot be started: {error}")
            self._likeness = now
        return self._ready

    def ask(self) -> None:
        """Let the zygote fork a shim, for :meth:`take`, unless it was asked before. Does nothing if none is ready."""
        if self._line is not None or not self.ensure() or self._channel is None:
            return
        try:
            mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:  # no descriptor is left
            return
        self._channel.settimeout(ANSWER_SECONDS)
        try:
            socket.send_fds(self._channel, [b"fork"], [its.fileno()])
            self._line = mine
        except OSError as error:
            mine.close()
            self._fail(f"takes no request: {error}")
        finally:
            its.close()

    def take(self) -> Forked | None:
        """Return the shim that was asked for. None: there is none that could run a job."""
        if self._line is None:
            return None
        line, self._line = self._line, None
        word, pid, pidfd = self._receive(ANSWER_SECONDS)
        if word == "started" and pidfd >= 0:
            return Forked(pid, pidfd, line)
        line.close()
        if not word:
            self._fail(f"has not answered for {ANSWER_SECONDS:g} s")
        if word != "failed":  # it may have forked
            ours.orphans = True
        return None

    def close(self) -> None:
        """End the zygote. Its shims run on."""
        if self._channel is None:
            return
        self._channel.close()
        if self._line is not None:
            self._line.close()
        self._channel, self._line, self._ready = None, None, False
        with closing(self._pidfd), suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            end = select.poll()  # unlike select.select, for any descriptor
            end.register(self._pidfd, select.POLLIN)
            end.poll(END_SECONDS * 1000)
        reap(self._pid)

    def _start(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            argv = [sys.executable, "-I", "-S", str(SHIM), "zygote", "." * TITLE_ROOM]
            with closing(moved_up(its.fileno())) as channel, ours.lock:
                self._pid = spawn(argv, None, [channel])
                ours.shims[self._pid] = start_ticks(self._pid) or 0
                self._pidfd = os.pidfd_open(self._pid)
        except OSError:
            mine.close()
            raise
        finally:
            its.close()
        self._channel = mine

    def _receive(self, seconds: float) -> tuple[str, int, int]:
        """The next message: its word, its number, its descriptor or -1. "": none has come in that time; "ended": none
        will.
        """
        if self._channel is None:
            return "ended", 0, -1
        self._channel.settimeout(seconds)
        try:
            data, fds, _, _ = socket.recv_fds(self._channel, _LARGEST, 1)
        except (BlockingIOError, TimeoutError):
            return "", 0, -1
        except OSError:
            data, fds = b"", []
        if not data:
            self._fail("has ended")
            return "ended", 0, -1
        for fd in fds:
            os.set_inheritable(fd, False)
        word, _, number = data.decode().partition(" ")
        return word, int(number or 0), fds[0] if fds else -1

    def _fail(self, what: str) -> None:
        _logger.warning("The process that forks shims %s; shims are spawned until there is another", what)
        self._not_before = time.monotonic() + PAUSE_SECONDS
        self.close()
