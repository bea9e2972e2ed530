"""The supervisor's side of the zygote, the process from which shims are forked (:mod:`.shim.zygote`).

States: *absent*; *starting*, until it says that it is ready; *ready*. A start never waits for a zygote that is not
ready: its shim is spawned, as where there is no zygote at all. A zygote that has ended is started again by the next
start or look; one that ended before it was ready, or did not answer in time, only after a pause. One of another
likeness (its code, limits, environment ... changed) is replaced.

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
from collections.abc import Callable, Sequence
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
PAUSE_SECONDS = 10.0  # after a failure, before the next zygote is started
TITLE_ROOM = 8192  # bytes for the command line of a shim; with a longer one it is spawned
_LARGEST = 256  # bytes of a message from the zygote


class Unanswered(Exception):
    """The zygote ended or was silent after a request: it is not known whether it forked."""


@attrs.define(eq=False)
class Zygote:
    """At most one zygote process. Its user lets one thread in at a time.

    Its socket is readable in ``epoll`` when :meth:`read` has something to do. ``on_end(pid, status)`` is called for
    each shim that it has reaped; ``on_lost()`` when it is gone: its shims are then reaped by somebody else.
    """

    _epoll: select.epoll
    on_end: Callable[[int, int], None]
    on_lost: Callable[[], None]
    ready: bool = attrs.field(default=False, init=False)
    pid: int = attrs.field(default=0, init=False)
    channel: socket.socket | None = attrs.field(default=None, init=False)
    _pidfd: int = attrs.field(default=-1, init=False)
    _likeness: tuple[object, ...] = attrs.field(default=(), init=False)
    _not_before: float = attrs.field(default=0.0, init=False)

    def ensure(self) -> None:
        """Start a zygote where there is none, replace one that a spawned shim would not resemble."""
        now = likeness()
        if self.channel is not None and self._likeness != now:
            self.close()
        if self.channel is None and time.monotonic() >= self._not_before:
            try:
                self._start()
            except OSError as error:
                self._fail(f"cannot be started: {error}")
            else:
                self._likeness = now

    def fork(self, argv: Sequence[str], fds: Sequence[int]) -> tuple[int, int] | None:
        """Have a shim forked: its pid and its pidfd. None: none was, spawn it. Raises :class:`Unanswered`."""
        request = b"".join(os.fsencode(word) + b"\0" for word in argv)
        self.read()
        if self.channel is None or not self.ready or len(request) > TITLE_ROOM:
            return None
        deadline = time.monotonic() + ANSWER_SECONDS
        self.channel.settimeout(ANSWER_SECONDS)
        try:
            socket.send_fds(self.channel, [request], fds)
        except OSError as error:
            self._fail(f"takes no request: {error}")
            return None
        while (left := deadline - time.monotonic()) > 0:
            word, numbers, received = self._receive(left)
            if word == "failed":
                return None
            if word == "started":
                if not received:  # no descriptor was left here for its pidfd
                    raise Unanswered
                return numbers[0], received[0]
        self._fail(f"has not answered for {ANSWER_SECONDS:g} s")
        raise Unanswered

    def read(self) -> None:
        """Take what the zygote has said without being asked."""
        with suppress(Unanswered):
            while self.channel is not None and self._receive(0.0)[0]:
                pass

    def close(self) -> None:
        """End the zygote; its shims run on."""
        if self.channel is None:
            return
        self.channel.close()
        self.channel, self.ready = None, False
        with closing(self._pidfd), suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            select.select([self._pidfd], [], [], END_SECONDS)
        reap(self.pid)
        self.on_lost()

    def _start(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            argv = [sys.executable, "-I", "-S", str(SHIM), "zygote", "." * TITLE_ROOM]
            with closing(moved_up(its.fileno())) as channel, ours.lock:
                self.pid = spawn(argv, None, [channel])
                ours.shims[self.pid] = start_ticks(self.pid) or 0
                self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            mine.close()
            raise
        finally:
            its.close()
        self.channel = mine
        self._epoll.register(mine, select.EPOLLIN)

    def _receive(self, seconds: float) -> tuple[str, list[int], list[int]]:
        """The next message: its word, its numbers, its descriptors. "": none has come in that time.

        Raises :class:`Unanswered` where the zygote has ended.
        """
        assert self.channel is not None
        self.channel.settimeout(seconds)
        try:
            data, fds, _, _ = socket.recv_fds(self.channel, _LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, TimeoutError):
            return "", [], []
        except OSError:
            data, fds = b"", []
        word, *numbers = data.decode().split() or [""]
        if not word:
            self._fail("has ended")
            raise Unanswered
        if word == "ready":
            self.ready = True
        elif word == "ended":
            self.on_end(int(numbers[0]), int(numbers[1]))
        return word, list(map(int, numbers)), fds

    def _fail(self, what: str) -> None:
        _logger.warning("The process that forks shims %s; shims are spawned until there is another", what)
        if not self.ready or "ended" not in what:
            self._not_before = time.monotonic() + PAUSE_SECONDS
        self.close()
