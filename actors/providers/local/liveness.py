"""Finds out whether a job is alive, from its files and the kernel only, also after a restart of the supervisor.

The order of reading matters. The lock is held from before ``run.json`` is written until after ``exit.json`` is written.
So where ``run.json`` was seen, *then* the lock was found free, *then* no ``exit.json`` was found, the shim has died and
no record will ever come. A pid proves nothing by itself (ended processes can still have one, and numbers are reused).

The job itself can replace all of these files. So the note that the shim wrote beside the directory
(:class:`.shim.job.Note`) comes before them: it says who runs the job, and that the job ended; within one boot, no file
in the directory can say that in its place. A free lock is believed only when the kernel shows no shim of this
directory. An end is believed only when nothing of the job lives: a shim that is known to have ended well has checked
that, otherwise all processes are looked at.
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

from actors.providers.local.directory import JobDirectory, closing, write_durably
from actors.providers.local.processes import all_pids, has_mark, is_shim, mark_of, processes_of
from actors.providers.local.records import Note, checked_exit, checked_run, read_checked, read_note
from actors.providers.local.shim.files import NotPlain
from actors.providers.local.shim.process_tree import send
from actors.providers.local.shim.system import FLOCK, boot_id, start_ticks, stat_field, take_lock
from actors.providers.local.subreaper import is_running

CLEARING = 2.0  # seconds to wait for killed processes to be gone; SIGKILL takes milliseconds where nothing hangs


class Standing(StrEnum):
    """The state that a job is in, according to its directory."""

    ABSENT = "absent"  # nothing was submitted here
    UNSTARTED = "unstarted"  # submitted, and nobody is about to run it
    STARTING = "starting"  # a shim is there, the program is not yet
    RUNNING = "running"
    ENDED = "ended"  # with an exit record
    DEAD = "dead"  # the shim is gone without one


@attrs.frozen
class Look:
    """The result of one look at a directory. ``fault`` says which of its records cannot be believed ("": all can)."""

    standing: Standing
    run: Mapping[str, Any] | None = None
    exit: Mapping[str, Any] | None = None
    cancel: bool = False
    fault: str = ""

    @property
    def same_boot(self) -> bool:
        """Whether the machine has not been restarted since the shim started.

        If it has, the recorded pids mean nothing.
        """
        return self.run is not None and self.run["boot_id"] == boot_id()


def look(directory: JobDirectory, *, has_shim: bool = False, finished_shim: int | None = None) -> Look:
    """Return the state of the job. Raises OSError where nothing can be read.

    ``has_shim``: a shim of the job is known to live. ``finished_shim``: the pid of its shim, where that shim is known
    to have ended well. Then the note is really its own, and nothing of the job lived any more at that time.
    """
    if not directory.is_submitted:
        return Look(Standing.RUNNING if has_shim else Standing.ABSENT)
    cancel = os.path.lexists(directory.cancel)
    run, fault = _run_of(directory)
    held = is_locked(directory.lock)
    begun = run is not None or bool(fault) or os.path.lexists(directory.started)
    if held or has_shim:
        return Look(Standing.RUNNING if begun else Standing.STARTING, run, None, cancel, fault)
    note = read_note(directory)  # after the lock was found free
    ended, bad_end = _end_of(directory, note)
    if note.exit is not None and note.run is not None and note.run["shim"] == finished_shim:
        return Look(Standing.ENDED, run, ended, cancel, fault)
    living = processes_of(directory)
    if living.shims:  # the job has exchanged its lock
        return Look(Standing.RUNNING if begun else Standing.STARTING, run, None, cancel, fault)
    if ended is not None and living.marked:
        ended, bad_end = None, f"it has an exit record while process {living.marked[0]} of it lives"
    if ended is not None:
        return Look(Standing.ENDED, run, ended, cancel, fault)
    begun = begun or bool(bad_end)
    return Look(Standing.DEAD if begun else Standing.UNSTARTED, run, None, cancel, bad_end or fault)


def _run_of(directory: JobDirectory) -> tuple[Mapping[str, Any] | None, str]:
    """Return who runs the job, and why that cannot be believed."""
    noted = read_note(directory).run
    return (noted, "") if noted is not None else read_checked(directory.run, checked_run)


def _end_of(directory: JobDirectory, note: Note) -> tuple[Mapping[str, Any] | None, str]:
    """Return how the job ended, and why that cannot be believed."""
    if note.exit is not None:
        return note.exit, ""
    if note.run is not None and note.run["boot_id"] == boot_id():  # whatever the job says of itself
        return None, "it has an exit record of which its shim knew nothing" if os.path.lexists(directory.exit) else ""
    return read_checked(directory.exit, checked_exit)


def has_end(directory: JobDirectory) -> bool:
    """Return whether any file says that the job has ended, whether or not it can be believed."""
    return os.path.lexists(directory.exit) or read_note(directory).exit is not None


def is_locked(path: Path) -> bool:
    """Return whether a shim holds the lock.

    This does not take the lock, so that it never stops a shim that is starting.

    Anything else than a plain file does not count as a lock. Raises OSError where the answer cannot be found out.
    """
    import fcntl  # not on every system on which this module is imported

    try:
        with JobDirectory(path.parent).opened_file(path, os.O_RDWR) as fd:
            answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except (FileNotFoundError, NotPlain):
        return False
    return bool(struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK)


def settle_unstarted(directory: JobDirectory, record: Mapping[str, Any]) -> bool:
    """End a job that was never started: take its lock and write its exit record, as a shim would.

    Returns False where a shim has started meanwhile; that shim will write its own record.
    """
    record = {"ended_at": time.time(), **record}
    try:
        with directory.opened() as folder:
            lock = take_lock(folder, directory.lock.name)
    except NotPlain:  # no shim can take such a lock either
        write_durably(directory.exit, record)
        return True
    if lock is None:
        return False
    with closing(lock):
        if any(os.path.lexists(path) for path in (directory.run, directory.exit, directory.started)):
            return False
        write_durably(directory.exit, record)
        return True


def open_process(pid: int, ticks: int | None) -> int | None:
    """Return a pidfd of the process with that pid *and* that start time, or None where it is gone.

    The caller closes it.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if ticks is None or start_ticks(pid) != ticks:  # after opening: what the descriptor names cannot change any more
        os.close(fd)
        return None
    return fd


def open_shim(directory: JobDirectory, seen: Look) -> int | None:
    """Return a pidfd of the job's shim, or None where it is gone, not known, or not a shim of this directory."""
    if seen.run is None or not seen.same_boot:
        return None
    fd = open_process(seen.run["shim"], seen.run["shim_ticks"])
    if fd is not None and not is_shim(seen.run["shim"], directory):  # the record is the job's own, and so is its pid
        os.close(fd)
        return None
    return fd


def open_living_shim(directory: JobDirectory) -> int | None:
    """Return a pidfd of the job's shim: the one in the record or, where that cannot be believed, the one that lives."""
    run, _ = _run_of(directory)
    if (fd := open_shim(directory, Look(Standing.RUNNING, run))) is not None:
        return fd
    for pid in processes_of(directory).shims:
        if (fd := open_process(pid, start_ticks(pid))) is not None:
            return fd
    return None


def _survivors(directory: JobDirectory, seen: Look) -> tuple[dict[int, int], list[int]]:
    """Return the processes that outlived their shim: those surely of this job (pids and starts), and pids that may be.

    Sure are those that started after the program and have the job's own folder in their environment. Unsure are those
    in the program's session and group whose environment cannot be read or was overwritten.
    """
    if seen.run is None or not seen.same_boot:
        return {}, []
    child, since = seen.run["child"], seen.run["child_ticks"] or 0
    leader_is_another = Path(f"/proc/{child}").exists() and start_ticks(child) != since
    mark = mark_of(directory)
    sure, unsure = {}, []
    for pid in all_pids():
        if (ticks := start_ticks(pid)) is None or ticks < since:
            continue
        if has_mark(pid, mark):
            sure[pid] = ticks
        elif not leader_is_another and stat_field(pid, 5) == child == stat_field(pid, 6) and is_running(pid):
            unsure.append(pid)
    return sure, unsure


def clear_survivors(directory: JobDirectory, seen: Look) -> list[int]:
    """Kill what outlived its shim, and wait until it is gone. Returns the pids that may be left ([]: none)."""
    deadline = time.monotonic() + CLEARING
    while True:
        sure, unsure = _survivors(directory, seen)
        left = [pid for pid, ticks in sure.items() if send(signal.SIGKILL, pid, ticks)]
        if not left or time.monotonic() >= deadline:
            return unsure + left
        time.sleep(0.01)  # in a worker thread
