"""A control group (version 2) for the processes of one job: who is in it cannot leave by a session or a fork.

The shim and the drainer stay outside, in the supervisor's own: memory is accounted there, as without groups.
"""

# ruff: noqa: PTH102, PTH106, PTH115, PTH116, PTH123, SIM105 - pathlib would cost each shim 5 ms and 1 MB

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def enter(path: str, pid: int) -> dict[str, Any] | None:
    """Make the group ("": none) and put the process into it.

    Returns what says later that this is the group: its path, its file system and the name space in which the path is
    meant. None: there is no group, or the kernel refuses.
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
        write_to(f"{path}/cgroup.procs", str(pid))
        return {"path": path, "device": os.stat(path).st_dev, "space": os.readlink("/proc/self/ns/cgroup")}
    except OSError:
        leave(path)
        return None


def kill_cgroup(path: str) -> None:
    """Kill all processes of the group, those that are being started included."""
    try:
        write_to(f"{path}/cgroup.kill", "1")
    except OSError:  # Linux before 5.14: they are killed one by one
        pass


def leave(path: str) -> None:
    """Remove the group, which is empty, and those that the job made below it."""
    for folder, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass


def write_to(path: str, text: str) -> None:
    """Write to a file of the kernel's. Raises OSError."""
    with open(path, "w") as file:
        file.write(text)
