"""What a shell is told of jobs that end badly and of outputs that cannot be read; and a provider that hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import rest_of, stop, until

pytestmark = pytest.mark.parts


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_job_that_a_signal_ended_ends_the_waiting_command_as_a_shell_would(
    terminal: Any, supervisor: Any, number: int
) -> None:
    done = terminal.type("submit", "--wait", "--json", "--", "sh", "-c", f"kill -{int(number)} $$")
    assert done.returncode == 128 + number
    job = json.loads(done.stdout)
    assert (job["signal"], job["exit_code"]) == (number, None)


@pytest.mark.parametrize(("written", "amount"), [("1073741824", 2**30), ("1GiB", 2**30)])
def test_memory_may_be_a_number_of_bytes(terminal: Any, supervisor: Any, written: str, amount: int) -> None:
    job = terminal.json("submit", "--json", "--memory", written, "--", "true")
    assert job["resources"]["memory"] == amount


def test_following_an_output_that_cannot_be_read_says_so(terminal: Any, supervisor: Any) -> None:
    """Not that the supervisor went away: at once where it is so from the beginning, else where it stops."""
    job = terminal.json("submit", "--wait", "--json", "--", "echo", "out")
    (log,) = terminal.home.glob("providers/local/jobs/*/log")
    log.unlink()
    os.mkfifo(log)
    for words in (["logs", job["job_id"]], ["logs", "-f", job["job_id"]]):
        done = terminal.type(*words)
        assert done.returncode == 1
        assert "cannot be read: log is a pipe" in done.stderr
        assert "went away" not in done.stderr


def test_an_output_that_becomes_unreadable_while_it_is_followed_says_so(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--json", "--", "sh", "-c", "echo out; exec sleep 1000")
    following = terminal.start("logs", "-f", job["job_id"])
    until(following, "out")
    while terminal.json("show", "--json", job["job_id"])["status"] != "running":
        pass  # its program may write before its provider's answer is recorded
    (log,) = terminal.home.glob("providers/local/jobs/*/log")
    log.unlink()
    os.mkfifo(log)
    rest = rest_of(following)
    assert "[the output cannot be read any further: " in rest
    assert "the job is running" in rest
    assert following.returncode == 1
    terminal.type("cancel", job["job_id"])


def test_doctor_says_that_the_gpu_driver_fails(terminal: Any) -> None:
    (terminal.cwd / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU is lost'\nexit 15\n")
    (terminal.cwd / "nvidia-smi").chmod(0o755)
    terminal.environment["PATH"] = f"{terminal.cwd}:{terminal.environment['PATH']}"
    done = terminal.type("doctor", "--json")
    found = next(one for one in json.loads(done.stdout) if one["subject"] == "GPUs")
    assert (done.returncode, found["ok"], found["found"]) == (1, False, "0 found; nvidia-smi: GPU is lost")
    assert "providers.local.gpus" in found["advice"]


HANGING = """
import sys, threading
from actors import cli
from actors.poller import actor
from actors.providers.local.jobs import LocalJobs
actor.LONGEST_ROUND = 0.2
LocalJobs.view = lambda *_: threading.Event().wait()
cli.main(["run"])
"""


@pytest.fixture
def hanging(terminal: Any) -> Iterator[subprocess.Popen[str]]:
    """A supervisor whose local provider never comes back from a look at its jobs."""
    process = terminal.python(HANGING)
    until(process, "Supervisor is ready")
    yield process
    if process.poll() is None:
        process.kill()
    rest_of(process)


def test_a_provider_that_hangs_is_named_in_health_and_keeps_nobody_from_stopping(terminal: Any, hanging: Any) -> None:
    """C1: exit status 0, although a thread is stuck in the provider and will never come back."""
    terminal.json("submit", "--json", "--", "true")
    found = ""
    while "provider local is slow" not in found:
        findings = json.loads(terminal.type("doctor", "--json").stdout)
        found = next(one for one in findings if one["subject"] == "supervisor")["advice"]
    stop(hanging)
    assert hanging.returncode == 0
