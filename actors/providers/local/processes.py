"""Finds out which processes belong to a job, from the kernel only: the job can forge the files of its directory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import attrs

from actors.providers.local.directory import JobDirectory
from actors.providers.local.environment import MARK
from actors.providers.local.shim.system import read_bytes

_SHIM_FLAGS = [b"-I", b"-S"]
_SHIM_FILE = b"/local/shim/__main__.py"
_NOT_OURS = (FileNotFoundError, ProcessLookupError, PermissionError)  # ended, or another user's
_MOST = 1 << 16  # bytes of a command line that are looked at


@attrs.frozen
class JobProcesses:
    """The living processes of a job: ``shims`` are its shims, ``marked`` those with its mark in their environment."""

    shims: tuple[int, ...] = ()
    marked: tuple[int, ...] = ()


def processes_of(directory: JobDirectory) -> JobProcesses:
    """Return what lives of a job now.

    Raises OSError where the kernel cannot be asked: no answer does not mean "nothing".
    """
    mark, folder = mark_of(directory), os.fsencode(directory.path)
    shims, marked = [], []
    for pid in all_pids():
        if _has_command_of_shim(pid, folder):
            if _holds_lock(pid):
                shims.append(pid)
        elif has_mark(pid, mark):
            marked.append(pid)
    return JobProcesses(tuple(shims), tuple(marked))


def is_shim(pid: int, directory: JobDirectory) -> bool:
    """Return whether the process is the shim of this directory.

    It must have the command line and the lock of a shim, which no file can forge. A fork of the shim, such as a helper
    that outlives it, has the command line but not the lock.
    """
    return _has_command_of_shim(pid, os.fsencode(directory.path)) and _holds_lock(pid)


def _has_command_of_shim(pid: int, folder: bytes) -> bool:
    words = _content(f"/proc/{pid}/cmdline", _MOST).split(b"\0", 5)
    return words[1:3] == _SHIM_FLAGS and len(words) > 4 and words[3].endswith(_SHIM_FILE) and words[4] == folder


def mark_of(directory: JobDirectory) -> bytes:
    """Return the text that is in the environment of this job's processes, and of no other's."""
    return os.fsencode(f"{MARK}={directory.output}\0")


def has_mark(pid: int, mark: bytes) -> bool:
    """Return whether ``mark`` is in the environment with which the process was started."""
    return mark in _content(f"/proc/{pid}/environ") + b"\0"


def _holds_lock(pid: int) -> bool:
    """Return whether the process has a file open that it locked as a shim does, whatever that file is called now."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fdinfo")  # noqa: PTH208
    except _NOT_OURS:
        return False
    return any(b"OFDLCK" in _content(f"/proc/{pid}/fdinfo/{number}") for number in numbers)


def all_pids() -> Iterator[int]:
    """Return the pid of every process of this machine that can be seen."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - a hundred of these a look


def _content(path: str, most: int = 1 << 26) -> bytes:
    """Return the content of a file of the kernel; empty for a process that has ended or belongs to another user."""
    try:
        return read_bytes(path, most)
    except _NOT_OURS:
        return b""
