"""What the shim asks of the kernel and of the disk."""

# ruff: noqa: PTH123, PTH208 - pathlib would cost each shim 5 ms and 1 MB

from __future__ import annotations

import ctypes
import os
import struct

from .files import open_plain

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
OOM_SCORE_STEP = 300  # of 1000: when memory runs out, the kernel then ends a job rather than the supervisor


def take_lock(folder: int, name: str) -> bool:
    """Take the lock of the file for life. False: another process has it, or no lock can be had. Raises OSError."""
    import fcntl  # here, so that the provider's modules can be imported where there is no such thing

    fd = open_plain(folder, name, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("@hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def close_strangers(first_stranger: int) -> None:
    """Close the descriptors that came in by mistake; keep the leases before them, and keep those from the job."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if 3 <= fd < first_stranger:
                os.set_inheritable(fd, False)
            elif fd > 2 and os.get_inheritable(fd):
                os.close(fd)
        except OSError:  # the listing's own descriptor, closed by now
            pass


def children() -> list[int]:
    """This process's children, unreaped ones included."""
    me = os.getpid()
    try:
        return [int(pid) for pid in read(f"/proc/self/task/{me}/children").split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and stat_field(int(name), 4) == me]


def stat_field(pid: int, number: int) -> int | None:
    """Field ``number`` (from 1) of /proc/PID/stat, counted after the name, which may hold anything."""
    try:
        return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[number - 3])
    except (OSError, IndexError):
        return None


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot: with the pid and the boot it names one process."""
    return stat_field(pid, 22)


def boot_id() -> str:
    """This boot of the machine."""
    return read("/proc/sys/kernel/random/boot_id").strip()


def raise_oom_score() -> None:
    """Make the calling process likelier to be chosen when memory runs out."""
    try:
        score = min(1000, int(read("/proc/self/oom_score_adj")) + OOM_SCORE_STEP)
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(score))
    except OSError:  # not allowed everywhere; it is a preference only
        pass


def oom_kills() -> dict[str, int | None]:
    """How many processes the kernel ended for want of memory so far: in our control group, on the machine."""
    group = None
    for line in read("/proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            group = group or count_in(f"/sys/fs/cgroup{path}/memory.events", "oom_kill")
        elif "memory" in controllers.split(","):
            group = count_in(f"/sys/fs/cgroup/memory{path}/memory.oom_control", "oom_kill")
    return {"group": group, "machine": count_in("/proc/vmstat", "oom_kill")}


def count_in(path: str, name: str) -> int | None:
    """The number on the line that begins with ``name`` in a file of the kernel's. None: no such file or line."""
    try:
        for line in read(path).splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
    except OSError:
        pass
    return None


def read(path: str) -> str:
    """The text of a file of the kernel's."""
    with open(path, errors="surrogateescape") as file:
        return file.read()


def prctl(option: int, value: int) -> None:
    """Call prctl(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
