"""`greenroom backup` and `greenroom restore` as people type them, beside a supervisor that runs."""

from __future__ import annotations

import pytest

from tests.cli.conftest import stop, supervisor, terminal, until

__all__ = ["supervisor", "terminal"]
pytestmark = pytest.mark.parts


def test_from_backup_to_a_restored_supervisor(terminal, supervisor, request):
    done = terminal.json("submit", "--json", "--wait", "--", "true")["job_id"]
    waiting = terminal.json("submit", "--json", "--start-after", "+2h", "--", "true")["job_id"]
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
    new = terminal.home.parent / "new"
    assert f"ln -s {terminal.home}/providers {new}/providers" in restored.stdout
    assert f"GREENROOM_HOME={new} greenroom run --config {new}/greenroom.yaml" in restored.stdout
    (new / "providers").symlink_to(terminal.home / "providers")
    terminal.environment["GREENROOM_HOME"] = str(new)
    process = terminal.start("run", "--config", str(new / "greenroom.yaml"))
    until(process, "Supervisor is ready")
    until(process, "job_restored")
    shown = terminal.type("queue").stdout
    assert "the queue is paused: restored from a backup of" in shown
    assert "(greenroom queue resume --all)" in shown
    assert terminal.json("show", done, "--json")["status"] == "completed"
    findings = terminal.type("doctor").stdout
    assert f"runs {unknown}-1" in findings
    assert "which the backup does not know" in findings
    assert terminal.json("queue", "resume", "--all", "--json")["paused"] is None
    assert terminal.json("show", waiting, "--json")["status"] == "pending"
    assert terminal.type("queue", "pause", "--all", "local").returncode == 2
    stop(process)
