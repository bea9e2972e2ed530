"""Which processes a test run left behind, by what they carry of it.

    python -m tests.left_processes        # beside a run: reads marks, one on a line, and ends at the end of its input

The input ends with the run, also where the run was killed: what still carries a mark then is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[1]
WAIT = 5.0
"""Seconds for processes to end that were asked to end; they may still run when their test is through."""

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


def watch_over(marks: Sequence[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the process that ends everything with a mark once its input is closed. ``environment`` has no mark, so that
    this process is not found itself.
    """
    command = [sys.executable, "-m", "tests.left_processes"]
    watcher = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
        env=environment, start_new_session=True,
    )  # fmt: skip
    assert watcher.stdin is not None
    watcher.stdin.writelines(mark + b"\n" for mark in marks)
    watcher.stdin.flush()
    return watcher


def main() -> None:
    """Wait for the end of the run, and end what it left, and what that starts meanwhile."""
    marks = [line.removesuffix(b"\n") for line in sys.stdin.buffer]
    for _ in range(int(WAIT / PAUSE)):
        if not (left := left_by(marks)):
            return
        end(left)
        threading.Event().wait(PAUSE)


if __name__ == "__main__":
    main()
