"""SIGKILL at the system calls by which a supervisor changes its state directory: the next one recovers (C2).

Some of them here; all of them with ``GREENROOM_SWEEP=all`` (``make check-long``), which takes minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kills.sweep_tracer import can_trace

ROOT = Path(__file__).parents[2]
WHOLE = os.environ.get("GREENROOM_SWEEP") == "all"
SOME = ["--first", "11", "--every", "60"]
ALL = ["--workers", "2"]

pytestmark = [
    pytest.mark.parts,
    pytest.mark.skipif(not can_trace(), reason="needs ptrace on Linux x86-64 (in a container: --cap-add SYS_PTRACE)"),
]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_whichever_call_a_supervisor_is_killed_at_the_next_one_keeps_every_promise(tmp_path: Path) -> None:
    swept = python("-m", "tests.kills.sweep", "--scratch", str(tmp_path), *(ALL if WHOLE else SOME))
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert "| greenroom.db-wal | `pwrite64` |" in swept.stdout


TWO_THREADS = """
import os, threading
from pathlib import Path
from tests.kills.sweep_tracer import KILL, Tracer, code

folder, calls = Path({folder!r}), []

def change():
    (folder / "made").mkdir()
    (folder / "made" / "note").write_text("a")
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", 'echo started >"$0"', str(folder / "by another")], dict(os.environ))
    os.waitpid(pid, 0)
    descriptor = os.open(folder / "made" / "note", os.O_RDWR)  # changes nothing yet
    def write():
        os.pwrite(descriptor, b"b", 1)
        os.fsync(descriptor)
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    os.rename(folder / "made" / "note", folder / "made" / "kept")

def decide(call):
    calls.append((call.name, call.path))
    return {decide} if call.number == {number} else 0

print(Tracer(folder, decide).run(change, 30.0).status)
print([call for call in calls if call[0] not in ("clone3", "clone", "vfork")])
"""
CHANGES = [
    ("mkdir", "made"), ("openat", "made/note"), ("write", "made/note"), ("pwrite64", "made/note"),
    ("fsync", "made/note"), ("rename", "made/kept"),
]  # fmt: skip


@pytest.fixture
def traced(tmp_path: Path) -> Callable[[str, int], list[str]]:
    """Run the program above with a verdict on its n-th call: its status, and its calls."""

    def run(decide: str, number: int) -> list[str]:
        done = python("-c", TWO_THREADS.format(folder=str(tmp_path), decide=decide, number=number))
        assert done.stdout, done.stderr
        return done.stdout.splitlines()

    return run


def test_the_tracer_counts_what_all_threads_change_and_leaves_started_programs_alone(
    traced: Callable[[str, int], list[str]], tmp_path: Path
) -> None:
    assert traced("0", 1) == ["0", str(CHANGES)]
    assert (tmp_path / "by another").read_text() == "started\n"
    assert (tmp_path / "made" / "kept").read_text() == "ab"


def test_a_call_at_which_the_tracer_kills_does_not_happen(
    traced: Callable[[str, int], list[str]], tmp_path: Path
) -> None:
    """The fifth: the fourth is the start of a program."""
    assert traced("KILL", 5) == ["-9", str(CHANGES[:4])]
    assert (tmp_path / "made" / "note").read_text() == "a"


def test_a_call_that_the_tracer_lets_fail_does_not_happen_and_says_so(
    traced: Callable[[str, int], list[str]], tmp_path: Path
) -> None:
    assert traced("code('ENOSPC')", 5) == ["0", str([one for one in CHANGES if one[0] != "fsync"])]
    assert (tmp_path / "made" / "kept").read_text() == "a"


JUDGED = """
import sqlite3, sys, trio
from pathlib import Path
from tests.kills.sweep_run import Place, broken_promises, supervise

place = Place(Path(sys.argv[1]))
supervise(place)
print(trio.run(broken_promises, place))
with place.record.open("a") as record:
    record.write("start done\\n")
place.note("submitted", "done", "a-job-that-nobody-has")
connection = sqlite3.connect(place.state_dir / "greenroom.db")
connection.execute("DELETE FROM events WHERE seq = 3")
connection.commit()
connection.close()
print(trio.run(broken_promises, place))
"""


def test_what_is_looked_at_afterwards_would_be_noticed(tmp_path: Path) -> None:
    """A run that nothing disturbs breaks no promise; a job run twice, a lost answer and a lost event do."""
    undisturbed, damaged = python("-c", JUDGED, str(tmp_path)).stdout.splitlines()
    assert undisturbed == "[]"
    for promise in ("each job runs once", "what was acknowledged is there", "events without a gap", "replay of events"):
        assert promise in damaged
