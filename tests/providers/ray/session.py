"""What one ``ray start`` has started: its processes, and the jobs', which have sessions of their own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs


@attrs.define
class RaySession:
    """One node of a cluster. ``leader`` is ``ray start --block``, which leads a session of its own."""

    leader: subprocess.Popen[bytes]
    _seen: dict[int, str] = attrs.field(factory=dict)  # pid -> its start, which tells it from a later process

    def note(self) -> list[int]:
        """Remember every process of the session, and every descendant of one. Returns the living ones.

        A number alone would not do: it may have been given to another process meanwhile.
        """
        now = {one.pid: one for one in _processes()}
        self._seen |= {pid: one.begun for pid, one in now.items() if one.session == self.leader.pid}
        ours = {pid for pid, begun in self._seen.items() if pid in now and now[pid].begun == begun}
        while more := {pid for pid, one in now.items() if one.parent in ours} - ours:
            self._seen |= {pid: now[pid].begun for pid in more}
            ours |= more
        return sorted(ours)

    def kill_all(self) -> None:
        """SIGKILL to whatever is left, by pid."""
        # Looked at again after each round: a process may be born while its parent is being killed.
        while alive := self.note():
            for pid in alive:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.leader.poll()  # else it would stay in the list as a zombie
        self.leader.wait()


@attrs.frozen
class _Process:
    """One that is no zombie. ``begun``: clock ticks since boot."""

    pid: int
    parent: int
    session: int
    begun: str


def _processes() -> Iterator[_Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                yield _Process(int(entry.name), int(fields[1]), int(fields[3]), fields[19])
