"""Whether a job is alive, from its files and the kernel alone: the same answer before and after our own restart.

The order of reading carries the proof. The lock is held from before ``run.json`` is written until after
``exit.json`` is. So: a ``run.json`` seen, *then* the lock found free, *then* no ``exit.json`` found, means that the
shim died and no record will ever come. A pid alone proves nothing (zombies answer, numbers are reused).
"""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from actors.providers.local.directory import JobDirectory, read_record, write_durably
from actors.providers.local.environment import MARK
from actors.providers.local.shim.system import boot_id, start_ticks, stat_field

FLOCK = "@hhqqi4x"  # struct flock: type, whence, start, length, pid
CLEARING = 2.0  # seconds to wait for killed processes to be gone; SIGKILL takes milliseconds where nothing hangs


class Standing(StrEnum):
    """Where a directory stands."""

    ABSENT = "absent"  # nothing was submitted here
    UNSTARTED = "unstarted"  # submitted, and nobody is about to run it
    STARTING = "starting"  # a shim is there, the program is not yet
    RUNNING = "running"
    ENDED = "ended"  # with an exit record
    DEAD = "dead"  # the shim is gone without one


@attrs.frozen
class Look:
    """One look at a directory."""

    standing: Standing
    run: Mapping[str, Any] | None = None
    exit: Mapping[str, Any] | None = None
    cancel: bool = False

    @property
    def same_boot(self) -> bool:
        """Whether the machine has not been restarted since the shim started: else its pids mean nothing."""
        return self.run is not None and self.run["boot_id"] == boot_id()


def look(directory: JobDirectory) -> Look:
    """Where the job stands. Raises ValueError or OSError where its files cannot be read."""
    if not directory.spec.exists():
        return Look(Standing.ABSENT)
    cancel = directory.cancel.exists()
    run = read_record(directory.run)
    held = is_locked(directory.lock)
    ended = read_record(directory.exit)
    if ended is not None:
        return Look(Standing.ENDED, run, ended, cancel)
    if held:
        return Look(Standing.STARTING if run is None else Standing.RUNNING, run, None, cancel)
    return Look(Standing.UNSTARTED if run is None else Standing.DEAD, run, None, cancel)


def is_locked(path: Path) -> bool:
    """Whether a shim holds the lock: asked without taking it, so that a starting shim is never in our way."""
    import fcntl  # not on every system on which this module is imported

    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return bool(struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK)
    finally:
        os.close(fd)


def settle_unstarted(directory: JobDirectory, record: Mapping[str, Any]) -> bool:
    """End a job that was never started by writing its exit record, in a shim's place and under its lock.

    False: a shim has come meanwhile, which will write its own.
    """
    import fcntl

    fd = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except (BlockingIOError, PermissionError):
            return False
        if directory.run.exists() or directory.exit.exists():
            return False
        write_durably(directory.exit, {"ended_at": time.time(), **record})
        return True
    finally:
        os.close(fd)


def open_process(pid: int, ticks: int | None) -> int | None:
    """A pidfd of the process of that pid *and* start; None: it is gone. The caller closes it."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if ticks is None or start_ticks(pid) != ticks:  # after opening: what the descriptor names cannot change any more
        os.close(fd)
        return None
    return fd


def open_shim(seen: Look) -> int | None:
    """A pidfd of the job's shim; None where it is gone or not known."""
    if seen.run is None or not seen.same_boot:
        return None
    return open_process(seen.run["shim"], seen.run["shim_ticks"])


def survivors(directory: JobDirectory, seen: Look) -> tuple[list[int], list[int]]:
    """Processes that outlived their shim: pidfds of those surely of this job, and pids that may be.

    Sure: started after the program, and with the job's own folder in its environment. Unsure: in the program's session
    and group, but the environment cannot be read or was overwritten.
    """
    if seen.run is None or not seen.same_boot:
        return [], []
    child, since = seen.run["child"], seen.run["child_ticks"] or 0
    leader_is_another = Path(f"/proc/{child}").exists() and start_ticks(child) != since
    mark = os.fsencode(f"{MARK}={directory.output}\0")
    sure, unsure = [], []
    for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
        if (ticks := start_ticks(pid)) is None or ticks < since:
            continue
        if _has_mark(pid, mark):
            if (fd := open_process(pid, ticks)) is not None:
                sure.append(fd)
        elif not leader_is_another and stat_field(pid, 5) == child == stat_field(pid, 6) and not _is_zombie(pid):
            unsure.append(pid)
    return sure, unsure


def clear_survivors(directory: JobDirectory, seen: Look) -> list[int]:
    """Kill what outlived its shim and wait until it is gone. Returns the pids that may be left, [] when none is."""
    deadline = time.monotonic() + CLEARING
    while True:
        sure, unsure = survivors(directory, seen)
        for fd in sure:
            try:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            finally:
                os.close(fd)
        if not sure or time.monotonic() >= deadline:
            return unsure if not sure else unsure or [seen.run["child"] if seen.run else 0]
        time.sleep(0.01)  # in a worker thread


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes() + b"\0"
    except OSError:
        return False


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True
