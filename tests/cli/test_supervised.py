"""Commands beside a real supervisor: submitting, looking, changing; C1, C3, C4, C7."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import rest_of

pytestmark = pytest.mark.parts

ME = pwd.getpwuid(os.getuid()).pw_name


def test_submit_wait_ends_as_the_job_ended(terminal: Any, supervisor: Any) -> None:
    """The exit status is the job's own; what it wrote, and why it failed, can be read afterwards."""
    good = terminal.type("submit", "--name", "good", "--wait", "--json", "--", "sh", "-c", "echo out; pwd")
    assert good.returncode == 0, good.stderr
    job = json.loads(good.stdout)
    assert (job["status"], job["queue_status"], job["exit_code"], job["user_id"]) == ("completed", "completed", 0, ME)
    assert "good is running" in good.stderr or "good completed" in good.stderr
    logs = terminal.type("logs", job["job_id"][-12:])
    assert logs.stdout == f"out\n{terminal.cwd}\n"
    bad = terminal.type("submit", "--wait", "--", "sh", "-c", "exit 7")
    assert bad.returncode == 7
    assert "exit status 7" in bad.stdout
    listed = terminal.json("jobs", "--json")
    assert [one["status"] for one in listed] == ["failed", "completed"]
    shown = terminal.json("show", job["job_id"], "--json")
    assert shown["correlation_id"] == job["correlation_id"]


def test_a_key_gives_the_same_job_and_says_so(terminal: Any, supervisor: Any) -> None:
    first = terminal.type("submit", "--key", "k", "--", "true")
    again = terminal.type("submit", "--key", "k", "--", "true")
    assert again.stdout.split()[0] == first.stdout.split()[0]
    assert "submitted before under this key" in again.stdout
    other = terminal.type("submit", "--key", "k", "--", "false")
    assert other.returncode == 1
    assert len(terminal.json("jobs", "--json")) == 1


def test_who_waits_can_be_seen_changed_approved_and_cancelled(terminal: Any, supervisor: Any) -> None:
    """C7: the queue tells each entry's reason and setting; limits, priority, approval and cancel act on it."""
    terminal.type("limits", "set", "total", "0")
    waiting = terminal.json("submit", "--name", "waiting", "--json", "--", "true")
    dear = terminal.json("submit", "--name", "dear", "--needs-approval", "it is dear", "--json", "--", "true")
    queue = terminal.json("queue", "--json")
    reasons = {one["config_name"]: (one["reason"], one["setting"]) for one in queue["waiting"]}
    assert "limit" in reasons["waiting"][0].lower()
    assert "limits" in reasons["waiting"][1] or "total" in reasons["waiting"][1]
    assert "it is dear" in reasons["dear"][0]
    table = terminal.type("queue").stdout
    assert "it is dear" in table
    listed = terminal.type("approvals").stdout
    assert dear["approval"]["approval_id"][-12:] in listed
    assert listed.split()[:5] == ["ID", "JOB", "NAME", "USER", "STATUS"]

    assert terminal.json("prioritise", waiting["job_id"], "50", "--json")["priority"] == 50
    assert terminal.json("approve", dear["job_id"], "--json")["decided_by"] == ME
    again = terminal.type("approve", dear["job_id"])
    assert (again.returncode, again.stdout) == (1, "")
    assert terminal.json("cancel", waiting["job_id"], "--json")["status"] == "cancelled"
    retried = terminal.json("retry", waiting["job_id"], "--json")
    assert retried["retry_of"] == waiting["job_id"]
    limits = terminal.json("limits", "reset", "--json")
    assert {"name": "total", "value": 5, "source": "default"} in limits


def test_rejecting_cancels_the_job_with_its_reason(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--needs-approval", "why not", "--json", "--", "true")
    rejected = terminal.json("reject", job["approval"]["approval_id"], "--reason", "no budget", "--json")
    assert (rejected["status"], rejected["decision_reason"]) == ("rejected", "no budget")
    assert terminal.json("show", job["job_id"], "--json")["status"] == "cancelled"


def test_a_paused_provider_is_handed_nothing(terminal: Any, supervisor: Any) -> None:
    terminal.type("queue", "pause", "local", "--reason", "moving house")
    job = terminal.json("submit", "--json", "--", "true")
    assert "moving house" in terminal.type("queue").stdout
    assert terminal.json("show", job["job_id"], "--json")["status"] == "pending"
    assert terminal.json("queue", "resume", "local", "--json")["closed_providers"] == {}


def test_watch_prints_changes_as_they_happen_until_the_supervisor_stops(terminal: Any, supervisor: Any) -> None:
    watching = terminal.start("watch", "--json")
    assert watching.stdout is not None
    assert "Connected" in watching.stdout.readline()
    job = terminal.json("submit", "--json", "--", "true")
    event = json.loads(watching.stdout.readline())
    assert (event["type"], event["job_id"]) == ("job_queued", job["job_id"])
    supervisor.send_signal(signal.SIGTERM)
    rest = rest_of(watching)
    assert "the supervisor has stopped" in rest
    assert watching.returncode == 1


def test_tree_shows_the_actors(terminal: Any, supervisor: Any) -> None:
    shown = terminal.type("tree").stdout
    for name in ("store", "scheduler", "poller", "expiry", "socket"):
        assert f"{name}  running" in shown


def test_doctor_finds_the_supervisor(terminal: Any, supervisor: Any) -> None:
    findings = {one["subject"]: one for one in terminal.json("doctor", "--json")}
    assert findings["supervisor"]["found"].endswith("ok")


def test_a_second_supervisor_is_refused_naming_the_first(terminal: Any, supervisor: Any) -> None:
    """C3: exit status 1, pid and start of the holder; the first goes on serving on its socket."""
    second = terminal.type("run", "--until-idle")
    assert second.returncode == 1
    assert f"pid {supervisor.pid}" in second.stderr
    assert "started" in second.stderr
    assert terminal.type("tree").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(terminal: Any, number: int) -> None:
    """C1: exit status 0, every line is JSON, nothing is left of the socket."""
    process = terminal.start("run")
    from_conftest = process.stdout
    assert from_conftest is not None
    lines = []
    for line in from_conftest:
        lines.append(line)
        if "Supervisor is ready" in line:
            break
    process.send_signal(number)
    lines += rest_of(process).splitlines()
    assert process.returncode == 0
    messages = [json.loads(line)["message"] for line in lines if line.strip()]
    assert "Queue scheduler started" in messages
    assert "Supervisor stops" in messages
    assert not (terminal.home / "greenroom.sock").exists()


def test_without_a_supervisor_what_looks_reads_the_store_and_says_so(terminal: Any, supervisor: Any) -> None:
    """C4: jobs, show, logs, queue, approvals answer alike; what changes something says how to start one, status 1."""
    job = terminal.json("submit", "--wait", "--json", "--", "echo", "kept")
    blocked = terminal.json("submit", "--needs-approval", "first", "--json", "--", "true")
    before = terminal.json("show", job["job_id"], "--json")
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=60)
    for words in (["jobs"], ["show", job["job_id"]], ["logs", job["job_id"]], ["queue"], ["approvals"]):
        read = terminal.type(*words)
        assert read.returncode == 0, read.stderr
        assert "no supervisor runs" in read.stderr
        assert "read from the store" in read.stderr
    assert terminal.json("show", job["job_id"], "--json") == before
    assert terminal.type("logs", job["job_id"]).stdout == "kept\n"
    for words in (["submit", "--", "true"], ["cancel", blocked["job_id"]], ["approve", blocked["job_id"]], ["tree"]):
        refused = terminal.type(*words)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "start one: greenroom run" in refused.stderr
    assert terminal.type("show", "nothing").returncode == 1


def test_client_commands_load_no_database_and_no_server(terminal: Any, supervisor: Any) -> None:
    """`greenroom jobs` beside a supervisor loads no SQLAlchemy, Alembic, Starlette or Hypercorn."""
    code = (
        "import sys\nfrom actors.cli import main\n"
        "try:\n    main(['jobs'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=terminal.cwd, env=terminal.environment, text=True, capture_output=True,
        timeout=60, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert loaded & {"sqlalchemy", "alembic", "starlette", "hypercorn", "httpx"} == set()


def test_names_that_terminals_obey_are_shown_harmless(terminal: Any, supervisor: Any) -> None:
    """What names a job is somebody else's text: no escape sequence and no markup of it reaches the terminal."""
    assert terminal.type("submit", "--name", "\x1b[2Jred", "--", "true").returncode != 0
    terminal.type("submit", "--user", "\x1b[2Jred", "--name", "[bold]x[/bold]", "--wait", "--", "true")
    shown = terminal.type("jobs").stdout
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown


def test_many_jobs_of_a_file_are_submitted_at_once(terminal: Any, supervisor: Any, job_file: Any) -> None:
    name = job_file("defaults: {command: [sh, -c, 'exit 0']}\njobs:\n - {name: one}\n - {name: two}\n")
    made = terminal.json("submit", "--file", name, "--wait", "--json")
    assert [(one["config_name"], one["status"]) for one in made] == [("one", "completed"), ("two", "completed")]
    again = terminal.json("submit", "--file", name, "--json")
    assert [one["job_id"] for one in again] == [one["job_id"] for one in made]
    mixed = terminal.type("submit", "--file", name, "--cpus", "2")
    assert mixed.returncode == 2


def test_spec_and_set_are_merged_and_checked_before_anything_is_stored(terminal: Any, supervisor: Any) -> None:
    Path(terminal.cwd, "spec.yaml").write_text("optimizer: {lr: 0.1}\n")
    bad = terminal.type("submit", "--spec", "spec.yaml", "--set", "optimizer.lr", "--", "true")
    assert bad.returncode == 2
    assert "NAME=VALUE" in bad.stderr
    wrong = terminal.type("submit", "--priority", "99", "--cost", "-1", "--", "true")
    assert wrong.returncode == 2
    assert "priority_override" in wrong.stderr
    assert "estimated_cost" in wrong.stderr
    assert terminal.json("jobs", "--json") == []
