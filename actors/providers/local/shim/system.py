"""The calls by which the shim uses the kernel and the disk."""

# ruff: noqa: PTH110, PTH208 - pathlib would cost each shim 5 ms and 1 MB

from __future__ import annotations

import ctypes
import os
import signal
import struct
import time
from functools import cache

from .files import open_plain

FLOCK = "@hhqqi4x"  # struct flock: type, whence, start, length, pid
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SYS_CLONE3 = 435  # on all architectures but alpha
CLONE_PIDFD, CLONE_PARENT, CLONE_INTO_CGROUP = 0x1000, 0x8000, 0x2_0000_0000
OOM_SCORE_STEP = 300  # of 1000: when memory runs out, the kernel then ends a job rather than the supervisor


STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@cache
def libc() -> ctypes.PyDLL:
    """Return the C library."""
    return ctypes.PyDLL(None, use_errno=True)


def clone(flags: int, exit_signal: int, cgroup: int = 0) -> tuple[int, int]:
    """Do the same as :func:`os.fork` by clone3 (Linux 5.3), and get a pidfd of the child. It works only in a process
    with a single thread.

    ``flags``: those of clone3; with CLONE_PARENT the ``exit_signal`` is 0. Returns 0 in the child. Raises OSError, also
    where the kernel or a container forbids it.
    """
    pidfd = ctypes.c_int(-1)
    flags |= CLONE_PIDFD
    fields = struct.pack("11Q", flags, ctypes.addressof(pidfd), 0, 0, exit_signal, 0, 0, 0, 0, 0, cgroup)
    arguments, size = ctypes.c_char_p(fields), ctypes.c_size_t(len(fields))
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = libc().syscall(SYS_CLONE3, arguments, size)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    code = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, os.strerror(code))
    return pid, pidfd.value


def block_signals() -> None:
    """Block the signals that a shim fetches one by one: those to stop, and the ends of its children."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})


def take_lock(folder: int, name: str) -> int | None:
    """Take the lock of the file. It is held until the returned descriptor is closed, also by the end of the process.

    Returns None where another process has the lock, or none can be had. Raises OSError.
    """
    import fcntl  # here, so that the provider's modules can be imported where there is no such thing

    fd = open_plain(folder, name, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        os.close(fd)
        return None
    return fd


def close_strangers(first_stranger: int) -> None:
    """Close the descriptors that came in by mistake. The leases before them stay, and the job does not get them."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if 3 <= fd < first_stranger:
                os.set_inheritable(fd, False)
            elif fd > 2 and os.get_inheritable(fd):
                os.close(fd)
        except OSError:  # the listing's own descriptor, closed by now
            pass


def children_of(pid: int) -> list[int]:
    """Return the process's children, also those that were not reaped. Of another process than this one some may be
    missed.
    """
    found: list[int] = []
    for task in listing(f"/proc/{pid}/task"):
        try:
            found += map(int, read(f"/proc/{pid}/task/{task}/children").split())
        except OSError:
            if os.path.exists(f"/proc/{pid}/task/{task}"):  # a kernel without CONFIG_PROC_CHILDREN
                return [int(name) for name in listing("/proc") if name.isdigit() and stat_field(int(name), 4) == pid]
    return found


def listing(path: str) -> list[str]:
    """Return the names in a folder of the kernel's, or none where it is gone."""
    try:
        return os.listdir(path)
    except OSError:
        return []


def stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on, after the name, which may contain anything. ``[]``: the
    process is gone.
    """
    try:
        return read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return []


def stat_field(pid: int, number: int) -> int | None:
    """Return field ``number`` (from 1) of /proc/PID/stat."""
    fields = stat_fields(pid)
    return int(fields[number - 3]) if fields else None


def start_ticks(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot. With the pid and the boot this identifies one
    process.
    """
    return stat_field(pid, 22)


def ticks_since_boot() -> int:
    """Return the present time, counted like in :func:`start_ticks`."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return read("/proc/sys/kernel/random/boot_id").strip()


def raise_oom_score() -> None:
    """Make it more likely that the kernel chooses the calling process when memory runs out."""
    try:
        score = min(1000, int(read("/proc/self/oom_score_adj")) + OOM_SCORE_STEP)
        write("/proc/self/oom_score_adj", str(score))
    except OSError:  # not allowed everywhere; it is a preference only
        pass


def oom_kills() -> dict[str, int | None]:
    """Return how many processes the kernel has killed for lack of memory so far: in our control group, and on the
    machine.
    """
    group = None
    try:
        lines = read("/proc/self/cgroup").splitlines()
    except OSError:  # no descriptor is left, or there is no such file: the end of the job is recorded all the same
        lines = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            group = group or count_in(f"/sys/fs/cgroup{path}/memory.events", "oom_kill")
        elif "memory" in controllers.split(","):
            group = count_in(f"/sys/fs/cgroup/memory{path}/memory.oom_control", "oom_kill")
    return {"group": group, "machine": count_in("/proc/vmstat", "oom_kill")}


def count_in(path: str, name: str) -> int | None:
    """Return the number on the line that begins with ``name`` in a file of the kernel's, or None if there is no such
    file or line.
    """
    try:
        for line in read(path).splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
    except OSError:
        pass
    return None


def read(path: str) -> str:
    """Return the text of a file of the kernel's. Raises OSError."""
    return os.fsdecode(read_bytes(path))


def read_bytes(path: str, most: int = 1 << 26) -> bytes:
    """Return the content of a file of the kernel's, about ``most`` bytes of it at most. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # open() asks the kernel six times what kind of file it is
    pieces = []
    try:
        while most > 0 and (piece := os.read(fd, 1 << 16)):
            pieces.append(piece)
            most -= len(piece)
    finally:
        os.close(fd)
    return b"".join(pieces)


def write(path: str, text: str) -> None:
    """Write to a file of the kernel's. No file is made elsewhere. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def prctl(option: int, value: int) -> None:
    """Call prctl(2). Raises OSError."""
    if libc().prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
