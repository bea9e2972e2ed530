"""Makes a control group (version 2) for the processes of one job, which no process can leave by a session or a fork of
its own.

The shim and the drainer stay outside, in the supervisor's group: memory is accounted there, as without groups. The
program is forked into its group (Linux 5.7). Moving a process that already runs costs ten to twenty milliseconds,
because the kernel then waits until no processor uses the old state any more.
"""

# ruff: noqa: PTH102, PTH106, PTH115, PTH116, SIM105 - pathlib would cost each shim 5 ms and 1 MB

from __future__ import annotations

import os
import signal

from .system import CLONE_INTO_CGROUP, clone, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make(path: str) -> dict[str, Any] | None:
    """Make the group (``""``: make none).

    Returns what identifies the group later: its path, its file system and the name space in which the path is meant.
    Returns None where there is no group, or the kernel refuses to make it.
    """
    if not path:
        return None
    try:
        os.mkdir(path)
    except FileExistsError:  # an earlier shim was killed before its program ran
        pass
    except OSError:
        return None
    try:
        return {"path": path, "device": os.stat(path).st_dev, "space": os.readlink("/proc/self/ns/cgroup")}
    except OSError:
        leave(path)
        return None


def fork_into(path: str) -> tuple[int, bool]:
    """Fork. Returns the child's pid (0 in the child), and whether the child is in the group. Raises OSError."""
    if not path:
        return os.fork(), False
    try:
        group = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            pid, pidfd = clone(CLONE_INTO_CGROUP, signal.SIGCHLD, group)
        finally:
            os.close(group)
    except OSError:  # Linux before 5.7, or a container that forbids it
        return _fork_and_move(path)
    if pid:
        os.close(pidfd)
    return pid, True


def _fork_and_move(path: str) -> tuple[int, bool]:
    pid = os.fork()
    try:
        if pid:
            write(f"{path}/cgroup.procs", str(pid))
    except OSError:
        return pid, False
    return pid, True


def kill_cgroup(path: str) -> None:
    """Kill all processes of the group, also those that are just being started."""
    try:
        write(f"{path}/cgroup.kill", "1")
    except OSError:  # Linux before 5.14: they are killed one by one
        pass


def leave(path: str) -> None:
    """Remove the group, which must be empty, and the groups that the job made below it."""
    try:
        os.rmdir(path)
    except OSError:
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
