"""Starts a process with a session of its own, without a terminal, and without open files that are not meant for it."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from actors.providers.local.capacity import FIRST_FREE_FD, Lease
from actors.providers.local.directory import JobDirectory
from actors.providers.local.shim.system import STOP_SIGNALS, read

SHIM = Path(__file__).with_name("shim") / "__main__.py"
KEPT = ("LD_LIBRARY_PATH", "PATH")  # the interpreter itself may need the first; nothing else of ours goes in


def shim_command(directory: JobDirectory, lease: Lease, cgroup: Path | None) -> list[str]:
    """Return the command line of a shim, by which it is recognised (:mod:`.processes`)."""
    argv = [sys.executable, "-I", "-S", str(SHIM), str(directory.path), lease.visible, str(len(lease.fds))]
    return argv if cgroup is None else [*argv, str(cgroup)]


def spawn(argv: list[str], output: int | None, inherited: Sequence[int]) -> int:
    """Start ``argv`` and return its pid. Raises OSError.

    ``output`` becomes its output (None: /dev/null), ``inherited`` become its descriptors from 3 on. The signals that
    stop a shim are blocked from the beginning, so that none is lost while its interpreter starts. The descriptors given
    here must have higher numbers than those that they become.
    """
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0) if output is None else (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    actions += [(os.POSIX_SPAWN_DUP2, fd, 3 + index) for index, fd in enumerate(inherited)]
    return os.posix_spawn(
        argv[0],
        argv,
        _environment(),
        file_actions=actions,
        setsid=True,
        setsigmask=[*STOP_SIGNALS, signal.SIGCHLD],
    )


def open_log(directory: JobDirectory) -> int:
    """Open the job's output for appending, with a descriptor above those under which a shim inherits its locks."""
    with directory.opened_file(directory.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as fd:
        os.set_blocking(fd, True)
        return moved_up(fd)


def moved_up(fd: int) -> int:
    """Copy the descriptor to a number above those that a started process inherits. Raises OSError."""
    import fcntl  # not on every system on which this module is imported

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_FD)


def likeness() -> tuple[object, ...]:
    """Return all that a process started now would inherit or load. Where it has changed, the zygote is replaced."""
    status = dict(line.split(":\t", 1) for line in read("/proc/thread-self/status").splitlines() if ":\t" in line)
    limits = []
    for number in range(16):
        with suppress(ValueError):
            limits.append(resource.getrlimit(number))
    return (
        [status.get(name) for name in ("Umask", "Uid", "Gid", "Groups", "CapEff", "CapBnd", "NoNewPrivs")],
        limits,
        os.sched_getaffinity(0),
        os.getpriority(os.PRIO_PROCESS, 0),
        read("/proc/self/oom_score_adj"),
        read("/proc/self/cgroup"),
        _environment(),
        [(one.st_ino, one.st_mtime_ns, one.st_size) for one in map(os.stat, _code())],
    )


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


@cache
def _code() -> list[Path]:
    return [Path(sys.executable), *sorted(SHIM.parent.glob("*.py"))]
