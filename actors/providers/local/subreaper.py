"""Lets the supervisor receive orphans: the processes that a killed shim leaves become children of the supervisor.

Only ``python -m actors run`` asks for that: an embedded runtime does not change the process of its host. An orphan is
recognised by its session: it has left ours together with its shim, and nothing else that this process starts does that.
Ended orphans are reaped here.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs

from actors.providers.local.environment import MARK
from actors.providers.local.shim.system import PR_SET_CHILD_SUBREAPER, children_of, listing, prctl, stat_fields

PR_GET_CHILD_SUBREAPER = 37
_MARKED = re.compile(rb"(?:^|\0)%s=([^\0]*)" % MARK.encode())


@attrs.frozen
class Process:
    """What ``/proc/PID/stat`` says about a living process. ``ticks`` is its start, in clock ticks since the boot."""

    parent: int
    session: int
    ticks: int


@attrs.define
class _Children:
    """The processes that this process has started and nobody has reaped yet (pids with their starts).

    Zygotes and what they forked are among them. It also says whether orphans may have come to this process.
    """

    shims: dict[int, int] = attrs.field(factory=dict)
    late: set[int] = attrs.field(factory=set)  # those that nobody watches any more, reaped when they are found ended
    reaping: bool = False
    orphans: bool = False
    lock: threading.Lock = attrs.field(factory=threading.Lock)  # a shim is started and written down under it


ours = _Children()
"""One for the process, whose children they are, however many providers it has."""


def become_subreaper() -> None:
    """Receive the orphans of killed shims from now on, and reap them.

    Does nothing where the kernel does not offer it.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            prctl(PR_SET_CHILD_SUBREAPER, 1)
            ours.reaping = True


def is_subreaper() -> bool:
    """Return whether the orphans of our children become our children."""
    if os.getpid() == 1:
        return True
    answer = ctypes.c_int(0)
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0 and bool(answer.value)


def reap(pid: int) -> int | None:
    """Return the wait status of a process that we started (1: it is not available), or None where it lives."""
    try:
        reaped, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # somebody in this process waits for all children
        reaped, status = pid, 1
    if not reaped:
        ours.late.add(pid)
        return None
    ours.late.discard(pid)
    ours.shims.pop(pid, None)
    ours.orphans |= status != 0
    return status


def reap_orphans() -> None:
    """Reap the orphans that have ended, but not the children that another part of this process waits for."""
    if not (ours.reaping and ours.orphans and ours.lock.acquire(blocking=False)):  # else at the next look
        return
    try:
        left = False
        for pid in children_of(os.getpid()):
            if pid in ours.shims or (fields := stat_fields(pid)) == [] or int(fields[3]) == os.getsid(0):
                continue
            with suppress(ChildProcessError):
                left |= not os.waitpid(pid, os.WNOHANG)[0]
        ours.orphans = left
    finally:
        ours.lock.release()


def orphans_since(ticks: int, mark: str) -> list[int]:
    """Return the living orphans that began at ``ticks`` or later, and what they have started; the youngest first.

    The drainer is among them for as long as any process holds the job's output. Processes that carry the mark of
    another job than ``mark`` (a value of the variable MARK) are not counted.
    """
    found: dict[int, int] = {}
    for _ in range(2):  # what lives through both is not missed, however processes fork and end meanwhile
        seen = _processes()
        found |= {pid: one.ticks for pid, one in seen.items() if one.ticks >= ticks and _has_come(pid, seen)}
    youngest = sorted(found, key=lambda pid: (found[pid], pid), reverse=True)
    return [pid for pid in youngest if is_running(pid) and _mark_of(pid) in (None, mark)]


def is_running(pid: int, ticks: int | None = None) -> bool:
    """Return whether a process of that pid (and start) lives. One that has ended and waits to be reaped does not."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in "ZX" and ticks in (None, int(fields[19]))


def _processes() -> Mapping[int, Process]:
    found = {}
    for pid in map(int, filter(str.isdigit, listing("/proc"))):
        if (fields := stat_fields(pid)) and fields[0] not in "ZX":
            found[pid] = Process(int(fields[1]), int(fields[3]), int(fields[19]))
    return found


def _has_come(pid: int, seen: Mapping[int, Process]) -> bool:
    """Return whether it descends from an orphan of ours, not from a living shim or from anything else we started."""
    me, session = os.getpid(), os.getsid(0)
    while (one := seen.get(pid)) is not None:
        if ours.shims.get(pid) == one.ticks:
            return False
        if one.parent == me:
            return one.session != session
        if pid in (me, 1) or one.parent == 0:
            return False
        pid = one.parent
    return True  # its parent ended while we looked: it may come to us


def _mark_of(pid: int) -> str | None:
    try:
        found = _MARKED.search(Path(f"/proc/{pid}/environ").read_bytes())
    except OSError:
        return None
    return os.fsdecode(found[1]) if found else None
