"""Who holds the state directory, and what a supervisor that was killed leaves behind for a moment."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors import state_directory
from actors.state_directory import LOCK, AlreadyRunning, StateDirectory


@pytest.fixture
def gone() -> int:
    """The pid of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def held_for(path: Path, pid: int) -> int:
    """The lock as a process of that pid took it, in a descriptor that outlives it."""
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT)
    os.write(descriptor, json.dumps({"pid": pid, "started_at": "2026-01-01T00:00:00+00:00"}).encode())
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_what_a_dead_supervisor_left_to_a_starting_program_is_waited_for(tmp_path, monkeypatch, gone):
    """It was killed between the fork and the exec of a job's shim: the lock ends with the exec."""
    descriptor = held_for(tmp_path, gone)
    pauses = []

    def execute(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            os.close(descriptor)

    monkeypatch.setattr(state_directory.time, "sleep", execute)
    with StateDirectory(tmp_path):
        assert len(pauses) == 2


def test_who_keeps_a_dead_supervisors_lock_is_waited_for_a_second_at_the_most(tmp_path, monkeypatch, gone):
    descriptor = held_for(tmp_path, gone)
    pauses = []
    monkeypatch.setattr(state_directory.time, "sleep", pauses.append)
    with pytest.raises(AlreadyRunning, match=f"pid {gone}, started 2026"), StateDirectory(tmp_path):
        pass
    assert sum(pauses) == pytest.approx(1.0)
    os.close(descriptor)


def test_a_supervisor_that_lives_is_named_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(state_directory.time, "sleep", lambda _seconds: pytest.fail("there is nothing to wait for"))
    with (
        StateDirectory(tmp_path),
        pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"),
        StateDirectory(tmp_path),
    ):
        pass


@pytest.mark.parametrize("signature", [b"", b"{", b"{}", b'{"pid": "many"}', b'{"pid": 1e400}', b"[]"])
def test_a_signature_that_says_nothing_names_nobody(tmp_path, signature):
    descriptor = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    os.write(descriptor, signature)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(AlreadyRunning, match="held by another supervisor"), StateDirectory(tmp_path):
        pass
    os.close(descriptor)
