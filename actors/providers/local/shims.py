"""The shims of live jobs: started here, or found running; their ends are readable descriptors.

All pidfds stand in one epoll, which is itself one descriptor to wait for: a thousand jobs cost one waiting task.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from actors.providers.local.capacity import Lease
from actors.providers.local.directory import JobDirectory
from actors.providers.local.liveness import look, open_shim

SHIM = Path(__file__).with_name("shim") / "__main__.py"
KEPT = ("LD_LIBRARY_PATH", "PATH")  # the interpreter itself may need the first; nothing else of ours goes in

_unreaped: set[int] = set()  # children of closed tables, reaped when a next one starts something


@attrs.define(eq=False)
class Shims:
    """Which shims live, by submission key. Safe to be used from worker threads."""

    _epoll: select.epoll = attrs.field(factory=lambda: select.epoll())
    _fds: dict[str, int] = attrs.field(factory=dict)
    _keys: dict[int, str] = attrs.field(factory=dict)
    _children: dict[str, int] = attrs.field(factory=dict)
    on_end: Callable[[str], None] | None = None

    def fileno(self) -> int:
        """Readable whenever :meth:`collect` has something to tell."""
        return self._epoll.fileno()

    def __contains__(self, key: str) -> bool:
        return key in self._fds

    def start(self, directory: JobDirectory, lease: Lease) -> int:
        """Start a shim and remember it. Returns its pid. Raises OSError."""
        _reap_strays()
        pid = spawn(directory, lease)
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:  # ended, and somebody in this process waits for all children
            return pid
        self._children[directory.key] = pid
        self._add(directory.key, fd)
        return pid

    def adopt(self, directory: JobDirectory) -> bool:
        """Find the running shim of a job and remember it. False: there is none that can be named (yet)."""
        if directory.key in self._fds:
            return True
        if (fd := open_shim(look(directory))) is None:
            return False
        self._add(directory.key, fd)
        return True

    def terminate(self, directory: JobDirectory) -> bool:
        """Send SIGTERM to the job's shim. False: none is known."""
        if not self.adopt(directory):
            return False
        try:
            signal.pidfd_send_signal(self._fds[directory.key], signal.SIGTERM)
        except (KeyError, ProcessLookupError):
            return False
        return True

    def collect(self) -> list[str]:
        """Take note of the shims that have ended, reap ours, and tell :attr:`on_end`."""
        ended = []
        for fd, _ in self._epoll.poll(0):
            if (key := self._keys.pop(fd, None)) is None:
                continue
            self._epoll.unregister(fd)
            del self._fds[key]
            os.close(fd)
            if (pid := self._children.pop(key, None)) is not None:
                _reap(pid)
            ended.append(key)
            if self.on_end is not None:
                self.on_end(key)
        return ended

    def close(self) -> None:
        """Let go of all shims; they run on."""
        for fd in self._keys:
            os.close(fd)
        _unreaped.update(self._children.values())
        for table in (self._fds, self._keys, self._children):
            table.clear()
        self._epoll.close()

    def _add(self, key: str, fd: int) -> None:
        if (before := self._fds.pop(key, None)) is not None:
            self._keys.pop(before)
            self._epoll.unregister(before)
            os.close(before)
        self._fds[key], self._keys[fd] = fd, key
        self._epoll.register(fd, select.EPOLLIN)


def spawn(directory: JobDirectory, lease: Lease) -> int:
    """Start a shim: a session of its own, no terminal, the log as its output, nothing of ours inherited but the lease.

    The signals that stop it are blocked from its first moment, so none is lost while its interpreter starts.
    """
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(directory.log), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    actions += [(os.POSIX_SPAWN_DUP2, fd, 3 + index) for index, fd in enumerate(lease.fds)]
    argv = [sys.executable, "-I", "-S", str(SHIM), str(directory.path), lease.visible, str(len(lease.fds))]
    return os.posix_spawn(
        sys.executable,
        argv,
        {name: os.environ[name] for name in KEPT if name in os.environ},
        file_actions=actions,
        setsid=True,
        setsigmask=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD],
    )


def _reap(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # somebody in this process waits for all children
        return True


def _reap_strays() -> None:
    _unreaped.difference_update([pid for pid in list(_unreaped) if _reap(pid)])
