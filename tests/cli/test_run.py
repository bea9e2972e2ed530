"""`run` with a file: to its end, interrupted and continued, and refused before anything is stored (C1, C5)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest

from tests.cli.conftest import rest_of

pytestmark = pytest.mark.parts

THREE = """
jobs:
  - {name: good, command: [sh, -c, 'echo "{\\"accuracy\\": 0.5}" > $GREENROOM_RESULT_FILE']}
  - {name: bad, command: [sh, -c, 'echo broken >&2; exit 3']}
  - {name: dear, command: ['true'], needs_approval: it costs a lot}
"""


def test_a_file_is_run_to_its_end_and_summed_up(terminal: Any, job_file: Any) -> None:
    """Exit 0 with every job ended; a table with measures, why one failed, a jq line that works as pasted."""
    done = terminal.type("run", "--file", job_file(THREE), "--until-idle", "--approve-as", "bo")
    assert done.returncode == 0, done.stderr
    assert "In a second terminal" in done.stdout
    assert "dear" in done.stdout
    assert "is approved by bo" in done.stdout
    assert "bad failed: exit status 3: broken" in done.stdout
    assert "3 jobs: 2 completed, 1 failed" in done.stdout
    assert "0.5" in done.stdout
    (line,) = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("jq ")]
    if shutil.which("jq"):
        found = subprocess.run(line, shell=True, cwd=terminal.cwd, capture_output=True, text=True, check=True)
        assert "Job is now failed" in found.stdout
    log = (terminal.home / "log" / "greenroom.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(one), dict) for one in log)


def test_a_port_that_is_taken_is_said_where_the_run_begins(terminal: Any, job_file: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = terminal.cwd / "taken.yaml"
        config.write_text(f"http: {{port: {port}}}\n")
        name = job_file("jobs:\n - {command: ['true']}\n")
        done = terminal.type("run", "--file", name, "--until-idle", "--config", str(config))
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Greenroom is running. Its state is in ")
    assert lines[1] == (
        f"HTTP is not served: cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Change it in section http and start again"
    )


def test_a_queue_that_was_paused_before_is_said_where_the_run_begins(terminal: Any, supervisor: Any) -> None:
    """Without that, a run that goes on until it is idle would wait without a word."""
    terminal.json("queue", "pause", "--all", "--json")
    terminal.json("submit", "--json", "--", "true")
    supervisor.terminate()
    supervisor.wait(60)
    running = terminal.start("run", "--until-idle")
    lines = [running.stdout.readline() for _ in range(3)]
    (paused,) = [line for line in lines if "queue is paused" in line]
    assert paused.startswith("The queue is paused: ")
    assert paused.endswith("queue resume --all)\n")
    terminal.type("queue", "resume", "--all")
    running.communicate(timeout=60)
    assert running.returncode == 0


def test_running_it_again_runs_nothing_twice(terminal: Any, job_file: Any) -> None:
    """C5: keys of content and index; with --fail-on-failure an old failure still counts."""
    name = job_file("jobs:\n - {name: once, cwd: ., command: [sh, -c, 'echo ran >> ran; exit 1']}\n")
    first = terminal.type("run", "--file", name, "--until-idle")
    assert first.returncode == 0, first.stderr
    again = terminal.type("run", "--file", name, "--until-idle", "--fail-on-failure")
    assert again.returncode == 1
    assert (terminal.cwd / "ran").read_text() == "ran\n"


def test_what_waits_for_an_approval_is_listed_with_its_command(terminal: Any, job_file: Any) -> None:
    """Nothing is pending or running, so it ends; not every job has, so not with 0. The command works as pasted."""
    done = terminal.type("run", "--file", job_file(THREE), "--until-idle")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if " approve " in line and "# dear" in line]
    supervisor = terminal.start("run")
    assert supervisor.stdout is not None
    for logged in supervisor.stdout:
        if "Supervisor is ready" in logged:
            break
    environment = {key: value for key, value in terminal.environment.items() if key != "GREENROOM_HOME"}
    pasted = subprocess.run(
        line, shell=True, cwd=terminal.cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=60)
    assert "approved" in pasted.stdout, pasted.stderr


def test_approve_as_grants_nobodys_own_job_where_that_is_forbidden(terminal: Any, job_file: Any) -> None:
    """approvals.self_approval: false holds for --approve-as too; it is said once, however often it was looked at."""
    (terminal.cwd / "greenroom.yaml").write_text("approvals: {self_approval: false}\n")
    jobs = "jobs:\n" + "".join(
        f" - {{name: of-{user}, user: {user}, needs_approval: why, command: ['true']}}\n" for user in ("bo", "ana")
    )
    done = terminal.type(
        "run", "--config", "greenroom.yaml", "--file", job_file(jobs), "--until-idle", "--approve-as", "bo"
    )
    assert done.returncode == 1, done.stderr
    assert {job["config_name"]: job["queue_status"] for job in terminal.json("jobs", "--json")} == {
        "of-bo": "blocked",
        "of-ana": "completed",
    }
    log = (terminal.home / "log" / "greenroom.jsonl").read_text()
    assert log.count("somebody else must approve it") == 1


def test_ctrl_c_says_what_goes_on_and_the_next_run_continues(terminal: Any, job_file: Any) -> None:
    """The running job is named with the command that ends it, lives on, and is found again, not started twice."""
    os.mkfifo(terminal.cwd / "gate")
    name = job_file("jobs:\n - {name: slow, cwd: ., command: [sh, -c, 'echo began >> ran; cat gate']}\n")
    process = terminal.start("run", "--file", name, "--until-idle")
    assert process.stdout is not None
    for line in process.stdout:
        if "slow" in line and "is running" in line:
            break
    process.send_signal(signal.SIGINT)
    rest = rest_of(process)
    assert process.returncode == 0
    assert "These jobs go on running: slow" in rest
    assert " cancel " in rest
    with (terminal.cwd / "gate").open("w") as gate:
        gate.write("done")
    again = terminal.type("run", "--file", name, "--until-idle")
    assert again.returncode == 0, again.stderr
    assert "1 job: 1 completed" in again.stdout
    assert (terminal.cwd / "ran").read_text() == "began\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("jobs:\n - {name: a, comand: [x]}\n", "jobs.yaml:2:14: jobs[0].comand: unknown key; did you mean command?"),
        ("jobs:\n - {name: a, command: [x], provider: locl}\n", "did you mean local?"),
        ("jobs:\n - {name: a, command: [x], resources: {cpus: 9999}}\n", "this machine has"),
        ("jobs: [", "jobs.yaml:2:1: is not YAML"),
    ],
)
def test_a_wrong_file_is_refused_and_nothing_is_stored(terminal: Any, job_file: Any, content: str, words: str) -> None:
    refused = terminal.type("run", "--file", job_file(content), "--until-idle")
    assert refused.returncode == 2
    assert words in refused.stderr
    if (terminal.home / "greenroom.db").exists():
        assert terminal.json("jobs", "--json") == []


def test_on_a_terminal_the_jobs_are_drawn_live(terminal: Any, job_file: Any) -> None:
    """Greeting, a picture with every job, its measures and the actors, and the summary; the log stays in its file."""
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    environment = {**terminal.environment, "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "actors", "run", "--file", job_file(THREE), "--until-idle", "--approve-as", "bo"],
        cwd=terminal.cwd, env=environment, stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: the last writer is gone
        while piece := os.read(leader, 65536):
            seen += piece
    os.close(leader)
    assert process.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    assert "In a second terminal" in text
    assert "actors  store, scheduler, poller, expiry, " in text
    assert "3 jobs: 2 completed, 1 failed" in text
    assert '"timestamp"' not in text


def test_a_damaged_database_is_one_clear_error(terminal: Any) -> None:
    terminal.home.mkdir(mode=0o700)
    (terminal.home / "greenroom.db").write_text("this is no database " * 50)
    refused = terminal.type("run", "--until-idle")
    assert refused.returncode == 1
    assert refused.stderr.startswith("greenroom: ")
    assert len(refused.stderr.splitlines()) == 1
    assert "database" in refused.stderr


def test_a_state_directory_that_cannot_be_made_is_one_clear_error(terminal: Any) -> None:
    terminal.environment["GREENROOM_HOME"] = "/dev/null/state"
    refused = terminal.type("run", "--until-idle")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "/dev/null/state" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("shown", [b"Greenroom is running", b"slow"])
def test_a_closed_terminal_ends_the_run_in_order(terminal: Any, job_file: Any, shown: bytes) -> None:
    """As Ctrl-C does, in the middle of the greeting too; what runs lives on and is found again."""
    os.mkfifo(terminal.cwd / "gate")
    name = job_file("jobs:\n - {name: slow, cwd: ., command: [sh, -c, 'echo began >> ran; head -n 1 gate']}\n")
    leader, follower = os.openpty()

    def on_a_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may have been started under nohup
        os.login_tty(follower)

    process = subprocess.Popen(
        [sys.executable, "-m", "actors", "run", "--file", name, "--until-idle"],
        cwd=terminal.cwd, env={**terminal.environment, "TERM": "xterm"}, preexec_fn=on_a_terminal,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while shown not in seen:
        seen += os.read(leader, 65536)
    os.close(leader)
    assert process.wait(timeout=60) == 0
    with (terminal.cwd / "gate").open("r+b", buffering=0) as gate:  # whether it has begun or begins only now
        gate.write(b"done\n")
        assert "1 job: 1 completed" in terminal.type("run", "--file", name, "--until-idle").stdout
    assert (terminal.cwd / "ran").read_text() == "began\n"
