"""A run of the tests that leaves processes behind fails, names them, and ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.left_processes import end, left_by

ROOT = Path(__file__).resolve().parents[2]
LEAVES = """
import os

def test_leaves_one_whose_environment_is_wiped(tmp_path):
    os.chdir(tmp_path)
    os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}, setsid=True)

def test_leaves_one_whose_environment_is_kept(tmp_path):
    os.posix_spawn("/bin/sleep", ["sleep", "2000"], os.environ, setsid=True)
"""


@pytest.mark.parametrize("carried_by", ["environment", "arguments", "working directory"])
def test_a_process_is_known_by_what_it_carries_of_the_run(tmp_path, carried_by):
    mark = os.fsencode(tmp_path)
    environment = {"MARK": str(tmp_path)} if carried_by == "environment" else {}
    folder = tmp_path if carried_by == "working directory" else Path("/")
    name = f"sleep-of-{tmp_path}" if carried_by == "arguments" else "sleep"
    with subprocess.Popen([name, "1000"], executable="/bin/sleep", env=environment, cwd=folder) as process:
        try:
            while not (left := left_by([mark])):  # its arguments are there a moment after Popen has returned
                assert process.poll() is None
            (found,) = left
            assert found.pid == process.pid
            end([found])
            assert process.wait(60) == -signal.SIGKILL
            assert left_by([mark]) == []
        finally:
            process.kill()


@pytest.mark.parts
def test_a_run_that_leaves_processes_fails_and_ends_them(tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text(LEAVES)
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += [f"--basetemp={tmp_path / 'base'}", f"--rootdir={ROOT}", str(test)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert "2 passed" in done.stdout
    assert "processes that tests started and left" in done.stdout
    assert "sleep 1000" in done.stdout
    assert "sleep 2000" in done.stdout
    assert done.returncode == 1
    assert left_by([os.fsencode(tmp_path)]) == []


@pytest.mark.parts
def test_what_a_killed_run_leaves_ends_with_it(tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text(LEAVES + f"    os.kill(os.getpid(), {int(signal.SIGKILL)})\n")
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-s", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += [f"--basetemp={tmp_path / 'base'}", f"--rootdir={ROOT}", str(test)]
    # The process left has the run's output: this returns when it has ended.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
