"""What is killed while no supervisor runs is told truly by the next one; the rest is found running (C2, B17)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.jobs.records import JobStatus, QueueStatus
from actors.jobs.views import JobView
from actors.providers.local.directory import read_record, write_durably
from tests.kills.stage import Stage
from tests.providers.local.stage import is_alive, needs_cgroup, until

pytestmark = pytest.mark.parts

LONG_JOB = """
import os, select, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(fd, f"0 start {sys.argv[2]} {os.environ['GREENROOM_JOB_ID']}\\n".encode())
while not os.path.exists("go"):
    select.select([], [], [], 0.02)
os.write(fd, f"0 end {sys.argv[2]} {os.environ['GREENROOM_JOB_ID']}\\n".encode())
"""
USERS = ("hit", "spared")  # one job of each


async def left_running(stage: Stage) -> dict[str, str]:
    """Two jobs that run while their supervisor is gone; their ids by user."""
    command = [sys.executable, "-I", "-S", "-c", LONG_JOB, str(stage.record)]
    stage.write_jobs([{"command": [*command, user], "user_id": user} for user in USERS])
    assert await stage.supervise_until_lines(len(USERS)) == -signal.SIGKILL
    return {user: job_id for _, _, user, job_id in stage.lines()}


def run_of(stage: Stage, job_id: str) -> dict[str, Any]:
    run = read_record(stage.directory(job_id).run)
    assert run is not None
    return dict(run)


async def killed(*pids: int, group: bool = False) -> None:
    for pid in pids:
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)
    await until(lambda: not any(is_alive(pid) for pid in pids))


async def kill_shim(stage: Stage, job_id: str) -> None:
    await killed(run_of(stage, job_id)["shim"])


async def kill_job(stage: Stage, job_id: str) -> None:
    await killed(run_of(stage, job_id)["child"])


async def kill_group(stage: Stage, job_id: str) -> None:
    await killed(run_of(stage, job_id)["child"], group=True)


async def reboot(stage: Stage, job_id: str) -> None:
    """Nothing of the job is left, and its numbers are of another boot: here they name the process of this very test."""
    run = run_of(stage, job_id)
    await killed(run["shim"])
    await until(lambda: not is_alive(run["child"]))
    directory, former = stage.directory(job_id), {"shim": os.getpid(), "child": os.getpid(), "boot_id": "before"}
    for record in (directory.run, directory.started):
        write_durably(record, {**run, **former})


DEATHS: dict[Callable[[Stage, str], Any], str] = {
    kill_shim: "its shim was killed while the job ran, and how the job ended is not known",
    kill_job: "killed by signal 9 (SIGKILL), not by its supervisor; no sign that memory ran out",
    kill_group: "killed by signal 9 (SIGKILL), not by its supervisor; no sign that memory ran out",
    reboot: "the machine was restarted while the job ran",
}


@pytest.mark.parametrize(
    "kill",
    [pytest.param(kill, marks=[needs_cgroup] if kill is kill_shim else []) for kill in DEATHS],
    ids=lambda kill: kill.__name__,
)
async def test_a_job_that_died_unwatched_has_failed_for_its_own_reason_and_its_neighbour_goes_on(
    stage: Stage, kill: Callable[[Stage, str], Any]
) -> None:
    """The dead one is not run again; the other ends well, in the run that the first supervisor began."""
    ids = await left_running(stage)
    before = run_of(stage, ids["spared"])
    await kill(stage, ids["hit"])
    (stage.directory(ids["spared"]).work / "go").touch()
    assert await stage.supervise() == 0
    views, events = await stage.rows()
    job = {view.job.request.user_id: view for view in views}
    assert (job["hit"].job.status, job["hit"].entry.status) == (JobStatus.FAILED, QueueStatus.FAILED)
    assert DEATHS[kill] in (job["hit"].job.error_message or "")
    assert job["spared"].job.status is JobStatus.COMPLETED
    assert run_of(stage, ids["spared"]) == before
    assert sorted((what, user) for _, what, user, _ in stage.lines()) == [
        ("end", "spared"), ("start", "hit"), ("start", "spared"),
    ]  # fmt: skip
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert nothing_lives(stage, views)


def nothing_lives(stage: Stage, views: list[JobView]) -> bool:
    """No program of an ended job runs, but the one that only bears the number of a former boot's."""
    pids = {run_of(stage, view.job.job_id)["child"] for view in views} - {os.getpid()}
    return not any(is_alive(pid) for pid in pids)


async def test_a_job_that_a_restart_of_the_machine_ended_runs_again_where_it_asked_for_that(stage: Stage) -> None:
    """Once, after the next start, in a directory of its own; it finds what the attempt before it left."""
    script = f"""
        echo "0 attempt $GREENROOM_ATTEMPT $GREENROOM_JOB_ID" >> {stage.record}
        if [ $GREENROOM_ATTEMPT = 1 ]; then echo 7 > $GREENROOM_OUTPUT_DIR/step; exec sleep 1000; fi
        echo "0 found $(cat $GREENROOM_PREVIOUS_OUTPUT_DIR/step) $GREENROOM_JOB_ID" >> {stage.record}
    """
    rerun = {"times": 3, "delay": 0.1}
    stage.write_jobs([{"command": ["sh", "-c", script], "user_id": "ana", "rerun": rerun}])
    assert await stage.supervise_until_lines(1) == -signal.SIGKILL
    ((_, _, _, job_id),) = stage.lines()
    await until((stage.directory(job_id).output / "step").exists)
    await reboot(stage, job_id)
    assert await stage.supervise() == 0
    assert [line[1:3] for line in stage.lines()] == [["attempt", "1"], ["attempt", "2"], ["found", "7"]]
    (view,), events = await stage.rows()
    assert (view.job.status, view.entry.reruns) == (JobStatus.COMPLETED, 1)
    (again,) = [event for event in events if event.type == "job_rerun"]
    assert again.data["reason"] == "the machine was restarted while the job ran"


async def test_a_job_that_was_written_down_and_had_no_shim_yet_runs_once(stage: Stage, tmp_path: Path) -> None:
    """The supervisor is killed between the two; nothing runs meanwhile, and the next supervisor starts it."""
    command = [sys.executable, "-I", "-S", "-c", LONG_JOB, str(stage.record), "only"]
    stage.write_jobs([{"command": command, "user_id": "only", "cwd": str(tmp_path)}])
    (tmp_path / "go").touch()
    assert await stage.supervise("job written down", "1") == -signal.SIGKILL
    (directory,) = stage.directories()
    assert not directory.run.exists()
    assert await stage.supervise() == 0
    assert [what for _, what, _, _ in stage.lines()] == ["start", "end"]
