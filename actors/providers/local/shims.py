"""The shims of live jobs: started here, or found running; their ends are readable descriptors.

All pidfds stand in one epoll, which is itself one descriptor to wait for: a thousand jobs cost one waiting task.
"""

from __future__ import annotations

import errno
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
from actors.providers.local.zygote import Zygote, fits

MOST_FINISHED = 1000  # an end is looked at soon after it


@attrs.frozen
class Started:
    """A shim that this process started, by pid and start. ``reaped_by_us``: its orphans come to this process."""

    pid: int
    ticks: int
    reaped_by_us: bool


@attrs.define(eq=False)
class Shims:
    """Which shims live, by submission key. Safe to be used from threads; nothing waits while it has the lock.

    ``started``: those that were started here and have not ended well, as a killed one has not. ``finished``: the pids
    of the newest of those that have.
    """

    _may_fork: bool = True
    _epoll: select.epoll = attrs.field(factory=lambda: select.epoll())
    _fds: dict[str, int] = attrs.field(factory=dict)
    _keys: dict[int, str] = attrs.field(factory=dict)
    _children: dict[int, int] = attrs.field(factory=dict)  # the pids of those that we started, by pidfd
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _starting: threading.Lock = attrs.field(factory=threading.Lock)  # held by who speaks with the zygote
    _zygote: Zygote | None = None
    started: dict[str, Started] = attrs.field(factory=dict, init=False)
    finished: dict[str, int] = attrs.field(factory=dict, init=False)
    on_end: Callable[[str], None] | None = None

    def fileno(self) -> int:
        """Readable whenever :meth:`collect` has something to report."""
        return self._epoll.fileno()

    def __contains__(self, key: str) -> bool:
        return key in self._fds

    def ensure_zygote(self) -> None:
        """Have shims forked from a zygote from now on, if that is allowed; later, see to it that there is one."""
        with self._starting:
            if self._zygote is None and self._may_fork and not self._epoll.closed:
                self._zygote = Zygote()
            if self._zygote is not None:
                self._zygote.ensure()

    def start(self, directory: JobDirectory, lease: Lease, cgroup: Path | None = None) -> None:
        """Start a shim and remember it; ``cgroup``: the control group to make.

        Raises OSError where surely none was started.
        """
        for pid in list(ours.late):
            reap(pid)
        argv = shim_command(directory, lease, cgroup)
        with self._starting, closing(open_log(directory)) as log:
            if self._epoll.closed:
                raise OSError(errno.ESHUTDOWN, "the provider is closed")
            if not self._fork(directory.key, argv, [log, *lease.fds]):
                self._spawn(directory.key, argv, log, lease)

    def _fork(self, key: str, argv: list[str], fds: list[int]) -> bool:
        """Have the shim forked by the zygote. False: there is none that can."""
        if self._zygote is None or not fits(argv):
            return False
        self._zygote.ask()  # which may have to start a zygote, and needs the lock for that
        with ours.lock:  # until it is written down, nobody may reap it as an orphan
            if (forked := self._zygote.take()) is None:
                return False
            self._started(key, forked.pid, forked.pidfd)
        if forked.command(argv, fds):
            return True
        self.started.pop(key, None)  # it was killed before it had a job
        return False

    def _spawn(self, key: str, argv: list[str], log: int, lease: Lease) -> None:
        with ours.lock:
            pid = spawn(argv, log, lease.fds)
            try:
                fd = os.pidfd_open(pid)
            except OSError:  # no descriptor is left, or somebody in this process reaps all children
                fd = None
            self._started(key, pid, fd)

    def _started(self, key: str, pid: int, fd: int | None) -> None:
        """Write down a new child."""
        ticks = ours.shims[pid] = start_ticks(pid) or 0
        self.started[key] = Started(pid, ticks, is_subreaper())
        if fd is not None:
            self._add(key, fd, pid)

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
                ended.append(key := self._keys[fd])
                pid = self._children.get(fd)
                if self._drop(fd) and (shim := self.started.get(key)) is not None and shim.pid == pid:
                    self.finished[key] = self.started.pop(key).pid
                    if len(self.finished) > MOST_FINISHED:
                        del self.finished[next(iter(self.finished))]
                if self._fds.get(key) == fd:
                    del self._fds[key]
        for key in ended:
            if self.on_end is not None:
                self.on_end(key)
        reap_orphans()
        return ended

    def forget(self, key: str) -> None:
        """Drop what is kept of a job that has ended."""
        self.started.pop(key, None)
        self.finished.pop(key, None)

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
            if self._epoll.closed:  # nobody asks any more
                os.close(fd)
                return
            self._fds[key], self._keys[fd] = fd, key
            if child is not None:
                self._children[fd] = child
            self._epoll.register(fd, select.EPOLLIN)

    def _drop(self, fd: int) -> bool:
        """Let go of a shim. True: it was ours, and has ended well."""
        del self._keys[fd]
        self._epoll.unregister(fd)
        os.close(fd)
        pid = self._children.pop(fd, None)
        return pid is not None and reap(pid) == 0
