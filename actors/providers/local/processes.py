"""Which processes are of a job, from the kernel alone: what the files of its directory say may be forged by it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors.providers.local.directory import JobDirectory
from actors.providers.local.environment import MARK
from actors.providers.local.shim.system import stat_field

_SHIM_FLAGS = [b"-I", b"-S"]
_SHIM_FILE = b"/local/shim/__main__.py"
_NOT_OURS = (FileNotFoundError, ProcessLookupError, PermissionError)  # ended, or another user's
_MOST = 1 << 16  # bytes of a command line that are looked at


@attrs.frozen
class JobProcesses:
    """``shims``: living shims of a job. ``marked``: living processes with its own mark in their environment."""

    shims: tuple[int, ...] = ()
    marked: tuple[int, ...] = ()


def processes_of(directory: JobDirectory) -> JobProcesses:
    """What lives of a job now. Raises OSError where the kernel cannot be asked: no answer is not "nothing"."""
    mark = mark_of(directory)
    shims, marked = [], []
    for pid in _pids():
        if is_shim(pid, directory) and stat_field(pid, 6) == pid:  # a shim leads its session, its helpers do not
            shims.append(pid)
        elif has_mark(pid, mark):
            marked.append(pid)
    return JobProcesses(tuple(shims), tuple(marked))


def is_shim(pid: int, directory: JobDirectory) -> bool:
    """Whether the process was started as the shim of this directory: by its command line, which no file can forge."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            words = file.read(_MOST).split(b"\0")
    except _NOT_OURS:
        return False
    folder = os.fsencode(directory.path)
    return words[1:3] == _SHIM_FLAGS and len(words) > 4 and words[3].endswith(_SHIM_FILE) and words[4] == folder


def mark_of(directory: JobDirectory) -> bytes:
    """What stands in the environment of a job's processes, and in no other's."""
    return os.fsencode(f"{MARK}={directory.output}\0")


def has_mark(pid: int, mark: bytes) -> bool:
    """Whether ``mark`` stands in the environment with which the process was started."""
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes() + b"\0"
    except _NOT_OURS:
        return False


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
