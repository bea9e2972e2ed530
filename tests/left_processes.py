"""Which processes a test run left behind, by what they carry of it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

WAIT = 5.0
"""Seconds that processes have to end in which were told to, and need not have ended when their test did."""

PAUSE = 0.1


@attrs.frozen
class Left:
    """A process: ``begun`` (clock ticks since boot) tells it from a later one of the same number."""

    pid: int
    begun: str
    command: str
    folder: str


def left_by(marks: Sequence[bytes]) -> list[Left]:
    """Processes other than this one with any of ``marks`` in their environment, arguments or working directory."""
    if not Path("/proc/self/stat").exists():  # another system than Linux
        return []
    others = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid())
    return [one for entry in others if (one := _look(entry, marks)) is not None]


def _look(entry: Path, marks: Sequence[bytes]) -> Left | None:
    with suppress(OSError):  # gone meanwhile, or of somebody else
        arguments = (entry / "cmdline").read_bytes()
        folder = os.fsencode((entry / "cwd").readlink())
        carried = b"\0".join((arguments, (entry / "environ").read_bytes(), folder + b"/"))
        if any(mark in carried for mark in marks):
            begun = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if begun[0] != "Z":
                command = arguments.replace(b"\0", b" ").decode(errors="replace")[:200]
                return Left(int(entry.name), begun[19], command, os.fsdecode(folder))
    return None


def settled(look: Callable[[], list[Left]], wait: float = WAIT) -> list[Left]:
    """What is still there after ``wait`` seconds at most."""
    for _ in range(int(wait / PAUSE)):
        if not look():
            return []
        threading.Event().wait(PAUSE)
    return look()


def end(left: Sequence[Left]) -> None:
    """End them, each by its number if that is still it."""
    for one in left:
        with suppress(OSError):
            begun = Path(f"/proc/{one.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
            if begun == one.begun:
                os.kill(one.pid, signal.SIGKILL)
