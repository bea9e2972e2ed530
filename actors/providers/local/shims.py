"""The shims of live jobs: started here, or found running; their ends are readable descriptors.

All pidfds stand in one epoll, which is itself one descriptor to wait for: a thousand jobs cost one waiting task.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs

from actors.providers.local.capacity import Lease
from actors.providers.local.directory import JobDirectory, closing
from actors.providers.local.launching import open_log, shim_command, spawn
from actors.providers.local.liveness import open_living_shim
from actors.providers.local.shim.system import start_ticks
from actors.providers.local.subreaper import is_subreaper, ours, reap, reap_orphans
from actors.providers.local.zygote import Unanswered, Zygote


@attrs.frozen
class Started:
    """A shim that this process started, by pid and start. ``reaped_by_us``: its orphans come to this process."""

    pid: int
    ticks: int
    reaped_by_us: bool


@attrs.define(eq=False)
class Shims:
    """Which shims live, by submission key. Safe to be used from threads; nothing waits while it has the lock.

    ``started``: those that were started here and have not ended well, as a killed one has not.
    """

    _epoll: select.epoll = attrs.field(factory=lambda: select.epoll())
    _fds: dict[str, int] = attrs.field(factory=dict)
    _keys: dict[int, str] = attrs.field(factory=dict)
    _children: dict[int, int] = attrs.field(factory=dict)  # the pids of those that we started, by pidfd
    _forked: dict[int, tuple[str, int]] = attrs.field(factory=dict)  # key and pidfd of those that the zygote reaps
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _starting: threading.Lock = attrs.field(factory=threading.Lock)  # held by who speaks with the zygote
    _zygote: Zygote | None = None
    started: dict[str, Started] = attrs.field(factory=dict, init=False)
    on_end: Callable[[str], None] | None = None

    def fileno(self) -> int:
        """Readable whenever :meth:`collect` has something to report."""
        return self._epoll.fileno()

    def __contains__(self, key: str) -> bool:
        return key in self._fds

    def use_zygote(self) -> None:
        """Fork shims from a zygote from now on. Called again, sees to it that there is one."""
        with self._starting:
            if self._zygote is None:
                self._zygote = Zygote(self._epoll, self._note_end, self._inherit)
            self._zygote.ensure()

    def start(self, directory: JobDirectory, lease: Lease, cgroup: Path | None = None) -> None:
        """Start a shim and remember it; ``cgroup``: the control group to make.

        Raises OSError where surely none was started.
        """
        for pid in list(ours.late):
            reap(pid)
        argv, unanswered = shim_command(directory, lease, cgroup), False
        with self._starting, closing(open_log(directory)) as log:
            try:
                if self._fork(directory.key, argv, [log, *lease.fds]):
                    return
            except Unanswered:  # there may be a shim: this one finds the lock taken then, or has it first
                ours.orphans = unanswered = True
            try:
                self._spawn(directory.key, argv, log, lease, certain=not unanswered)
            except OSError:
                if not unanswered:
                    raise

    def _fork(self, key: str, argv: list[str], fds: list[int]) -> bool:
        if self._zygote is None:
            return False
        self._zygote.ensure()
        if (forked := self._zygote.fork(argv, fds)) is None:
            return False
        pid, fd = forked
        ticks = start_ticks(pid) or 0
        if select.select([fd], [], [], 0)[0]:  # it has ended: its number may be another's by now
            ticks = 0
        ours.shims[pid] = ticks
        self._forked[pid] = key, fd
        self.started[key] = Started(pid, ticks, is_subreaper())
        self._add(key, fd, pid)
        return True

    def _spawn(self, key: str, argv: list[str], log: int, lease: Lease, *, certain: bool) -> None:
        reaped_by_us = is_subreaper() and certain
        with ours.lock:  # until it is written down, nobody may take it for an orphan
            pid = spawn(argv, log, lease.fds)
            ticks = ours.shims[pid] = start_ticks(pid) or 0
        self.started[key] = Started(pid, ticks, reaped_by_us)
        with suppress(ProcessLookupError):  # ended, and somebody in this process waits for all children
            self._add(key, os.pidfd_open(pid), pid)

    def _note_end(self, pid: int, status: int) -> None:
        """The zygote has reaped a shim."""
        ours.shims.pop(pid, None)
        ours.orphans |= status != 0
        with self._lock:
            key, fd = self._forked.pop(pid, ("", -1))
            if self._children.get(fd) == pid:
                del self._children[fd]
            self._ended(key, pid, status)

    def _inherit(self) -> None:
        """The zygote is gone: what it has not reaped is ours, or of who is the reaper of our orphans."""
        with self._lock:
            for pid in self._forked.keys() - set(self._children.values()):
                ours.late.add(pid)
            self._forked.clear()

    def _ended(self, key: str, pid: int, status: int | None) -> None:
        if status == 0 and (shim := self.started.get(key)) is not None and shim.pid == pid:
            del self.started[key]

    def adopt(self, directory: JobDirectory) -> bool:
        """Find the running shim of a job and remember it. False: there is none that can be named (yet).

        A shim that its job has stopped goes on: it has a deadline to keep.
        """
        if directory.key in self._fds:
            self._signal(directory.key, signal.SIGCONT)
            return True
        if (fd := open_living_shim(directory)) is None:
            return False
        self._add(directory.key, fd)
        return True

    def terminate(self, directory: JobDirectory) -> bool:
        """Send SIGTERM to the job's shim. False: none is known."""
        written_down = open_living_shim(directory)  # of two shims, the one that runs the program
        with self._lock:
            fd = written_down if written_down is not None else self._fds.get(directory.key)
            if fd is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, signal.SIGTERM)
                    signal.pidfd_send_signal(fd, signal.SIGCONT)  # its job may have stopped it
        if written_down is not None:
            os.close(written_down)
        return fd is not None

    def collect(self) -> list[str]:
        """Take note of the shims that have ended, reap ours, and call :attr:`on_end`."""
        ended = []
        with self._lock:
            for fd, _ in self._epoll.poll(0):
                if (key := self._keys.get(fd)) is None:  # the zygote speaks
                    continue
                ended.append(key)
                self._drop(fd)
                if self._fds.get(key) == fd:
                    del self._fds[key]
        if self._zygote is not None and self._starting.acquire(blocking=False):  # else who holds it listens
            try:
                self._zygote.read()
            finally:
                self._starting.release()
        for key in ended:
            if self.on_end is not None:
                self.on_end(key)
        reap_orphans()
        return ended

    def close(self) -> None:
        """Let go of all shims, which run on, and end the zygote."""
        with self._starting:
            if self._zygote is not None:
                self._zygote.close()
                self._zygote = None
        with self._lock:
            for fd in list(self._keys):
                self._drop(fd)
            self._fds.clear()
            self._epoll.close()

    def _signal(self, key: str, number: int) -> None:
        with self._lock, suppress(KeyError, ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self._fds[key], number)

    def _add(self, key: str, fd: int, child: int | None = None) -> None:
        with self._lock:
            self._fds[key], self._keys[fd] = fd, key
            if child is not None:
                self._children[fd] = child
            self._epoll.register(fd, select.EPOLLIN)

    def _drop(self, fd: int) -> None:
        """Let go of a shim, and reap it if it is our child."""
        key = self._keys.pop(fd)
        self._epoll.unregister(fd)
        os.close(fd)
        pid = self._children.pop(fd, 0)
        if pid and pid not in self._forked:
            self._ended(key, pid, reap(pid))
