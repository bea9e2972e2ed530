"""The supervisor's side of the zygote, the process from which shims are forked (:mod:`.shim.zygote`).

States: *absent*; *starting*, until it says that it is ready; *ready*. A start never waits for a zygote that is not
ready: its shim is spawned, as where there is no zygote at all. One that has ended, or has not answered in time and was
killed for that, is followed by another after a pause, at the next start or look. One of another likeness (its code,
limits, environment ... changed) is replaced at once.

A request whose answer is lost has an unknown outcome: the zygote may have forked or not. Then the zygote is killed and
a shim is spawned in addition; the lock in the job's directory lets only one of the two run the program.
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


class Unanswered(Exception):
    """The zygote ended or did not answer after a request: it is not known whether it has forked."""


@attrs.define(eq=False)
class Zygote:
    """Holds at most one zygote process. Its user must let only one thread in at a time."""

    _channel: socket.socket | None = attrs.field(default=None, init=False)
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
        with suppress(Unanswered):
            self._ready = self._ready or self._receive(0.0)[0] == "ready"
        if self._channel is None and time.monotonic() >= self._not_before:
            try:
                self._start()
            except OSError as error:
                self._fail(f"cannot be started: {error}")
            self._likeness = now
        return self._ready

    def fork(self, argv: Sequence[str], fds: Sequence[int]) -> tuple[int, int] | None:
        """Let the zygote fork a shim, after :meth:`ensure`. Returns its pid and its pidfd.

        Returns None where surely no shim was forked. Raises :class:`Unanswered` where that is not known.
        """
        request = b"".join(os.fsencode(word) + b"\0" for word in argv)
        if self._channel is None or len(request) > TITLE_ROOM:
            return None
        self._channel.settimeout(ANSWER_SECONDS)
        try:
            socket.send_fds(self._channel, [request], fds)
        except OSError as error:
            self._fail(f"takes no request: {error}")
            return None
        word, number, shim = self._receive(ANSWER_SECONDS)
        if word == "started" and shim >= 0:
            return number, shim
        if word == "failed":
            return None
        if not word:
            self._fail(f"has not answered for {ANSWER_SECONDS:g} s")
        raise Unanswered  # with an answer: no descriptor was left here for the pidfd

    def close(self) -> None:
        """End the zygote. Its shims run on."""
        if self._channel is None:
            return
        self._channel.close()
        self._channel, self._ready = None, False
        with closing(self._pidfd), suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            select.select([self._pidfd], [], [], END_SECONDS)
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
        """The next message: its word, its number, its descriptor or -1. "": none has come in that time.

        Raises :class:`Unanswered` where the zygote has ended.
        """
        if self._channel is None:
            raise Unanswered
        self._channel.settimeout(seconds)
        try:
            data, fds, _, _ = socket.recv_fds(self._channel, _LARGEST, 1)
        except (BlockingIOError, TimeoutError):
            return "", 0, -1
        except OSError:
            data, fds = b"", []
        if not data:
            self._fail("has ended")
            raise Unanswered
        for fd in fds:
            os.set_inheritable(fd, False)
        word, _, number = data.decode().partition(" ")
        return word, int(number or 0), fds[0] if fds else -1

    def _fail(self, what: str) -> None:
        _logger.warning("The process that forks shims %s; shims are spawned until there is another", what)
        self._not_before = time.monotonic() + PAUSE_SECONDS
        self.close()
