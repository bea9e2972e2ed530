"""`greenroom backup` and `greenroom restore` as people type them, beside a supervisor that runs."""

from __future__ import annotations

import pytest

from tests.cli.conftest import stop, supervisor, terminal, until

__all__ = ["supervisor", "terminal"]
pytestmark = pytest.mark.parts


def test_from_backup_to_a_restored_supervisor(terminal, supervisor, request):
    done = terminal.json("submit", "--json", "--wait", "--", "true")["job_id"]
    waiting = terminal.json("submit", "--json", "--start-after", "+2h", "--", "true")["job_id"]
    token = terminal.json("token", "create", "--user", "ana", "--json")["token_id"]
    backup = terminal.json("backup", "../backup.zip", "--json")
    assert (backup["jobs"], backup["active_jobs"]) == (2, 1)
    second = terminal.type("backup", "../backup.zip")
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert "exists already; give another name, or --force to replace it" in second.stderr
    refused = terminal.type("restore", "../backup.zip", "--into", "../new")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"is held by the supervisor with pid {supervisor.pid}" in refused.stderr
    wait = f"while [ ! -e {terminal.cwd}/gate ]; do sleep 0.1; done"
    request.addfinalizer((terminal.cwd / "gate").touch)
    unknown = terminal.json("submit", "--json", "--", "sh", "-c", wait)["job_id"]
    until(supervisor, "Job is now running")
    stop(supervisor)
    restored = terminal.type("restore", "../backup.zip", "--into", "../new")
    assert restored.returncode == 0, restored.stderr
    assert token[-12:] in restored.stdout  # short, as other commands show it
    assert token not in restored.stdout
    new = terminal.home.parent / "new"
    assert f"ln -s {terminal.home}/providers {new}/providers" in restored.stdout
    assert f"GREENROOM_HOME={new} greenroom run --config {new}/greenroom.yaml" in restored.stdout
    assert f"GREENROOM_HOME={new} greenroom queue resume --all" in restored.stdout
    (new / "providers").symlink_to(terminal.home / "providers")
    terminal.environment["GREENROOM_HOME"] = str(new)
    process = terminal.start("run", "--config", str(new / "greenroom.yaml"))
    until(process, "Supervisor is ready")
    until(process, "job_restored")
    shown = terminal.type("queue").stdout
    assert "The queue is paused: restored from a backup of" in shown
    assert "(greenroom queue resume --all)" in shown
    assert terminal.json("show", done, "--json")["status"] == "completed"
    findings = terminal.type("doctor").stdout
    assert f"runs {unknown}-1" in findings
    assert "which the backup does not know" in findings
    assert terminal.json("queue", "resume", "--all", "--json")["paused"] is None
    assert terminal.json("show", waiting, "--json")["status"] == "pending"
    assert terminal.type("queue", "pause", "--all", "local").returncode == 2
    stop(process)


def test_without_the_directories_of_jobs_a_person_settles_them(terminal, supervisor):
    for number in range(3):
        terminal.json("submit", "--json", "--group", "night", "--start-after", "+2h", "--", "echo", str(number))
    terminal.json("backup", "../backup.zip", "--json")
    stop(supervisor)
    restored = terminal.json("restore", "../backup.zip", "--into", "../new", "--json")
    assert (restored["jobs"], restored["to_look_up"]) == (3, 3)
    terminal.environment["GREENROOM_HOME"] = restored["directory"]
    process = terminal.start("run", "--config", restored["configuration"])
    for _ in range(3):
        assert any("has no records from before" in line for line in until(process, "Job uncertain"))
    assert terminal.json("queue", "--json")["running"] == 0
    seen = terminal.json("settle", "--group", "night", "--not-run", "--dry-run", "--json")
    assert seen["selected"] == 3
    assert terminal.type("settle", "--group", "night", "--not-run").returncode == 2  # nobody can be asked
    one, *_ = seen["left"]
    assert terminal.json("settle", one, "--failed", "--json")["status"] == "failed"
    assert terminal.type("settle", "--group", "night", "--ran", "{}", "--yes").returncode == 2
    assert terminal.json("settle", "--group", "night", "--not-run", "--yes", "--json")["done"] == 2
    assert {job["status"] for job in terminal.json("jobs", "--json")} == {"failed", "pending"}
    assert terminal.type("settle", "--group", "night", "--not-run", "--yes").returncode == 1  # none is uncertain
    stop(process)


def test_a_backup_is_made_where_the_supervisor_runs(terminal):
    asked = terminal.type("backup", "x.zip", "--url", "http://127.0.0.1:1", "--insecure")
    assert (asked.returncode, asked.stderr.count("\n")) == (1, 1)
    assert "a backup is made where the supervisor runs" in asked.stderr
    asked = terminal.type("restore", "x.zip", "--into", "d", "--url", "http://127.0.0.1:1")
    assert asked.returncode == 2
