"""Which processes may be of a lost job, by what the kernel says of the supervisor's own descendants."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from actors.providers.local import subreaper
from actors.providers.local.shim import process_tree, system
from actors.providers.local.subreaper import Process, orphans_since

ME, SESSION = os.getpid(), os.getsid(0)
SHIM, OTHER = 2**22 + 1, 2**22 + 50  # numbers above those that the kernel gives
FAR = 2**22 + 100


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Every process lives; the marks that some carry."""
    marks: dict[int, str] = {}
    monkeypatch.setattr(subreaper, "is_running", lambda pid: True)
    monkeypatch.setattr(subreaper, "_mark_of", marks.get)
    monkeypatch.setattr(subreaper.ours, "shims", {SHIM: 5})
    return marks


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ({FAR: Process(ME, FAR, 10)}, [FAR]),
        ({FAR: Process(ME, FAR, 9)}, []),  # begun before the job
        ({FAR: Process(ME, SESSION, 10)}, []),  # started by this process otherwise
        ({OTHER: Process(ME, SESSION, 5), FAR: Process(OTHER, FAR, 10)}, []),  # and what that has started
        ({SHIM: Process(ME, SHIM, 5), FAR: Process(SHIM, FAR, 10)}, []),  # of a job whose shim lives
        ({OTHER: Process(ME, OTHER, 10), FAR: Process(OTHER, FAR, 11)}, [FAR, OTHER]),
        ({OTHER: Process(1, OTHER, 10), FAR: Process(OTHER, FAR, 11)}, []),  # of another reaper
        ({FAR: Process(OTHER, FAR, 10)}, [FAR]),  # its parent ended during the look: it may be ours now
    ],
)
def test_what_may_be_of_a_job_that_began_at_10(
    monkeypatch: pytest.MonkeyPatch, marks: Mapping[int, str], seen: dict[int, Process], found: list[int]
) -> None:
    above = {1: Process(0, 1, 0), ME: Process(1, SESSION, 1)}
    monkeypatch.setattr(subreaper, "_processes", lambda: {**above, **seen})
    assert orphans_since(10, "/jobs/this/output") == found


def test_an_orphan_that_carries_another_jobs_mark_is_not_of_this_one(
    monkeypatch: pytest.MonkeyPatch, marks: dict[int, str]
) -> None:
    seen = {pid: Process(ME, pid, 10) for pid in (FAR, FAR + 1, FAR + 2)}
    marks.update({FAR: "/jobs/this/output", FAR + 1: "/jobs/other/output"})
    monkeypatch.setattr(subreaper, "_processes", lambda: seen)
    assert orphans_since(10, "/jobs/this/output") == [FAR + 2, FAR]


def test_without_lists_of_children_all_processes_are_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without CONFIG_PROC_CHILDREN gives the same tree."""
    assert not os.path.exists("/proc/self/children")  # noqa: PTH110 - it is a list of each thread
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        os.read(read_end, 1)  # until the test has ended it
        os._exit(0)
    try:
        plain = system.read

        def read(path: str) -> str:
            if path.endswith("/children"):
                raise FileNotFoundError(path)
            return plain(path)

        assert pid in system.children_of(ME)
        monkeypatch.setattr(system, "read", read)
        assert pid in system.children_of(ME)
        assert pid in process_tree.descendants()
        assert pid not in process_tree.descendants(but=pid)
    finally:
        os.close(write_end)
        os.close(read_end)
        os.waitpid(pid, 0)
