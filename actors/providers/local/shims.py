"""The shims of live jobs: started here, or found running; their ends are readable descriptors.

All pidfds stand in one epoll, which is itself one descriptor to wait for: a thousand jobs cost one waiting task.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs

from actors.providers.local.capacity import FIRST_FREE_FD, Lease
from actors.providers.local.directory import JobDirectory, closing
from actors.providers.local.liveness import open_living_shim
from actors.providers.local.shim.system import start_ticks
from actors.providers.local.subreaper import is_subreaper, ours, reap_orphans

SHIM = Path(__file__).with_name("shim") / "__main__.py"
KEPT = ("LD_LIBRARY_PATH", "PATH")  # the interpreter itself may need the first; nothing else of ours goes in

_unreaped: set[int] = set()  # children of closed tables, reaped when a next one starts something


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
    _children: dict[int, int] = attrs.field(factory=dict)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    started: dict[str, Started] = attrs.field(factory=dict, init=False)
    on_end: Callable[[str], None] | None = None

    def fileno(self) -> int:
        """Readable whenever :meth:`collect` has something to report."""
        return self._epoll.fileno()

    def __contains__(self, key: str) -> bool:
        return key in self._fds

    def start(self, directory: JobDirectory, lease: Lease, cgroup: Path | None = None) -> int:
        """Start a shim and remember it; ``cgroup``: the control group to make. Returns its pid. Raises OSError."""
        _reap_strays()
        reaped_by_us = is_subreaper()
        with ours.lock:  # until it is written down, nobody may take it for an orphan
            pid = spawn(directory, lease, cgroup)
            ours.shims.add(pid)
        self.started[directory.key] = Started(pid, start_ticks(pid) or 0, reaped_by_us)
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:  # ended, and somebody in this process waits for all children
            return pid
        self._add(directory.key, fd, pid)
        return pid

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
                    del self.started[key]
                if self._fds.get(key) == fd:
                    del self._fds[key]
        for key in ended:
            if self.on_end is not None:
                self.on_end(key)
        reap_orphans()
        return ended

    def close(self) -> None:
        """Let go of all shims; they run on."""
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

    def _drop(self, fd: int) -> bool:
        """Let go of a shim. True: it was ours, and has ended well."""
        del self._keys[fd]
        self._epoll.unregister(fd)
        os.close(fd)
        pid = self._children.pop(fd, None)
        if pid is None:
            return False
        status = _reap(pid)
        if status is None:
            _unreaped.add(pid)
        return status == 0


def spawn(directory: JobDirectory, lease: Lease, cgroup: Path | None = None) -> int:
    """Start a shim: a session of its own, no terminal, the log as its output, nothing of ours inherited but the lease.

    The signals that stop it are blocked from its first moment, so none is lost while its interpreter starts.
    """
    argv = [sys.executable, "-I", "-S", str(SHIM), str(directory.path), lease.visible, str(len(lease.fds))]
    argv += [str(cgroup)] if cgroup is not None else []
    with closing(_log(directory)) as log:
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        actions += [(os.POSIX_SPAWN_DUP2, fd, 3 + index) for index, fd in enumerate(lease.fds)]
        return os.posix_spawn(
            sys.executable,
            argv,
            {name: os.environ[name] for name in KEPT if name in os.environ},
            file_actions=actions,
            setsid=True,
            setsigmask=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD],
        )


def _log(directory: JobDirectory) -> int:
    """The job's output, to append to, above the descriptors under which the shim inherits its leases."""
    import fcntl  # not on every system on which this module is imported

    with directory.opened_file(directory.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as fd:
        os.set_blocking(fd, True)
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_FD)


def _reap(pid: int) -> int | None:
    """Its status, 1 where it is not to be had; None: it lives."""
    try:
        reaped, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # somebody in this process waits for all children
        reaped, status = pid, 1
    if not reaped:
        return None
    ours.shims.discard(pid)
    ours.orphans |= status != 0
    return status


def _reap_strays() -> None:
    _unreaped.difference_update([pid for pid in list(_unreaped) if _reap(pid) is not None])
