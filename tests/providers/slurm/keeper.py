"""The parent of every process of a cluster, the orphans of its daemons too: none of them can outlive it.

Run as a program of its own. Each line of its standard input is a JSON object with ``argv``, ``env`` and ``log``: one
daemon to start; the answer is its pid on a line. When the input ends, because the tests are through or were killed,
every descendant is killed, and then this process ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the tests, which then close the input
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    for line in sys.stdin:
        print(start(**json.loads(line)), flush=True)
    # Looked at again after each round: a process may be born while its parent is being killed.
    while descendants := descendants_of(os.getpid()):
        for pid in descendants:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap()


def start(argv: list[str], env: dict[str, str], log: str) -> int:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    actions: list[Any] = [(os.POSIX_SPAWN_DUP2, nothing, 0), *((os.POSIX_SPAWN_DUP2, output, to) for to in (1, 2))]
    try:
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=[signal.SIGINT])
    finally:
        os.close(output)
        os.close(nothing)


def reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def descendants_of(ancestor: int) -> set[int]:
    """Every process below ``ancestor``."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                )
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent == ancestor or parent in found} - found:
        found |= more
    return found


if __name__ == "__main__":
    main()
