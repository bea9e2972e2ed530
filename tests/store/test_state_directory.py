"""Who holds the state directory, and what a supervisor that was killed leaves behind for a moment."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from actors.store import state_directory
from actors.store.state_directory import LOCK, AlreadyRunning, StateDirectory, StateDirectoryError


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


def judged(path, caplog):
    """Enter it: the levels that were logged, and the mode that is left."""
    caplog.set_level("INFO")
    with StateDirectory(path):
        return [record.levelname for record in caplog.records], stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("mode", "levels", "left"),
    [
        (0o700, [], 0o700), (0o500 | 0o200, [], 0o700), (0o755, ["WARNING"], 0o755), (0o750, ["WARNING"], 0o750),
        (0o770, ["INFO"], 0o700), (0o775, ["INFO"], 0o700), (0o2770, ["INFO"], 0o700), (0o1777, ["WARNING"], 0o1777),
    ],
)  # fmt: skip
def test_what_others_may_do_with_a_state_directory_of_ours_is_taken_from_them_or_told(
    tmp_path, caplog, mode, levels, left
):
    """D7. A shared place such as /tmp itself is never closed."""
    tmp_path.chmod(mode)
    assert judged(tmp_path, caplog) == (levels, left)


def test_a_state_directory_that_anybody_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with (
        pytest.raises(StateDirectoryError, match=r"anybody may write to it \(mode 0777\); chmod 700 it"),
        StateDirectory(tmp_path),
    ):
        pass
    assert not (tmp_path / LOCK).exists()


def test_a_state_directory_of_somebody_else_is_refused(tmp_path, monkeypatch):
    """Theirs is whatever lies in it, whoever may write to it."""
    if os.getuid() == 0:
        os.chown(tmp_path, 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StateDirectoryError, match="it belongs to the user with uid"), StateDirectory(tmp_path):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can have a directory that is root's and ask as another user")
def test_a_state_directory_of_root_is_used_and_its_mode_is_told(tmp_path, caplog, monkeypatch):
    tmp_path.chmod(0o770)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert judged(tmp_path, caplog) == (["WARNING"], 0o770)


@pytest.mark.parametrize("signature", [b"", b"{", b"{}", b'{"pid": "many"}', b'{"pid": 1e400}', b"[]"])
def test_a_signature_that_says_nothing_names_nobody(tmp_path, signature):
    descriptor = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    os.write(descriptor, signature)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(AlreadyRunning, match="held by another supervisor"), StateDirectory(tmp_path):
        pass
    os.close(descriptor)


def test_a_forked_process_does_not_keep_the_lock(tmp_path):
    """A host's worker, for example, which lives on after the runtime has ended."""
    with StateDirectory(tmp_path) as directory:
        inherited = os.dup(directory._descriptor)  # as a fork has it: the same open file
    try:
        with StateDirectory(tmp_path):
            pass
    finally:
        os.close(inherited)
