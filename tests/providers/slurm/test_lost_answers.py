"""A submission whose answer was lost, late or withheld: one run for one key, whatever Slurm makes of it."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobStatus
from tests.providers.local.stage import until
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import KEPT_BACK, KILLED, Commands, acts, waits_for
from tests.providers.slurm.supervisors import (
    PATIENCE,
    ended,
    job,
    submissions,
    supervised,
    supervisors_at,
    until_event,
)
from tests.providers.supervisors import Supervisors, lines

pytestmark = pytest.mark.parts

COMPLETED = (JobStatus.COMPLETED, None)


async def killed_at_the_second(supervisors: Supervisors, commands: Commands, fault: str, struck: Path) -> None:
    """Three jobs; a supervisor that is killed when ``struck`` appears, by a fault at the second one's submission."""
    supervisors.write(jobs=3)
    commands.strike("sbatch", 'exec "$real" "$@"')
    commands.strike("sbatch", fault)
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(supervisors.supervise, "--until-idle")
        await until(struck.exists)
        process.kill()
    assert process.returncode == -signal.SIGKILL


async def all_ran_once(supervisors: Supervisors, cluster: Cluster, number: int = 3) -> None:
    jobs = await supervisors.jobs()
    assert [one["status"] for one in jobs] == ["completed"] * number
    ids = sorted(one["job_id"] for one in jobs)
    assert sorted(job_id for job_id, _ in lines(supervisors.path / "record")) == ids
    at_slurm = await submissions(cluster)
    assert [at_slurm[job_id] for job_id in ids] == [1] * number


async def test_a_supervisor_killed_between_submission_and_answer_finds_its_job_again(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """The controller has accepted the job, and ``sbatch`` has said so to nobody."""
    accepted, go = tmp_path / "accepted", tmp_path / "go"
    supervisors = supervisors_at(tmp_path, cluster, commands)
    with trio.fail_after(PATIENCE):
        fault = acts(f"touch {accepted}; until [ -e {go} ]; do sleep 0.02; done")
        await killed_at_the_second(supervisors, commands, fault, accepted)
        assert await supervisors.supervise("--until-idle") == 0
    go.touch()
    await all_ran_once(supervisors, cluster)


async def test_a_submission_that_outlives_its_killed_supervisor_is_waited_for(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """While that ``sbatch`` lives, nobody may say that its job is not there, however long Slurm knows nothing of it."""
    waiting, go = tmp_path / "waiting", tmp_path / "go"
    supervisors = supervisors_at(tmp_path, cluster, commands)
    try:
        with trio.fail_after(PATIENCE):
            await killed_at_the_second(supervisors, commands, f"touch {waiting}; {waits_for(go)}", waiting)
            async with trio.open_nursery() as nursery:
                process: trio.Process = await nursery.start(supervisors.supervise, "--until-idle")
                await until(lambda: len(lines(tmp_path / "record")) == 2)
                asked, submitted = commands.calls("squeue"), commands.calls("sbatch")
                # Some two a second, for longer than a job must not be seen.
                await until(lambda: commands.calls("squeue") >= asked + 16)
                again = commands.calls("sbatch") - submitted
                go.touch()
                await until(lambda: process.returncode is not None)
                assert process.returncode == 0
    finally:
        go.touch()
    assert again == 0  # the second one's was not repeated
    await all_ran_once(supervisors, cluster)


async def test_a_submission_that_died_with_its_supervisor_is_made_again(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """Nothing of it has reached the controller, which is known after a while: no job is lost."""
    dead = tmp_path / "dead"
    supervisors = supervisors_at(tmp_path, cluster, commands)
    with trio.fail_after(PATIENCE):
        await killed_at_the_second(supervisors, commands, f"touch {dead}; kill -9 $$", dead)
        assert await supervisors.supervise("--until-idle") == 0
    await all_ran_once(supervisors, cluster)


async def test_a_supervisor_killed_at_each_submission_runs_every_job_once(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """Before the work, which is done by nobody or by an orphan; and after it, told or not."""
    supervisors = supervisors_at(tmp_path, cluster, commands)
    supervisors.write(jobs=6)
    kill = "kill -9 $PPID"
    for fault in (f"{kill}; {KILLED}", f'{kill}; exec "$real" "$@"', f'"$real" "$@"; {kill}', acts(kill)):
        commands.strike("sbatch", fault)
    statuses = []
    with trio.fail_after(PATIENCE):
        while not statuses or statuses[-1] != 0:
            statuses.append(await supervisors.supervise("--until-idle"))
    assert set(statuses) == {-signal.SIGKILL, 0}
    assert commands.strikes() == 4
    await all_ran_once(supervisors, cluster, 6)


async def test_a_job_whose_submission_timed_out_runs_all_the_same_and_is_adopted(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """The controller is stopped until ``sbatch`` has given up and a look has failed, too: then it accepts the job."""
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster, commands) as runtime:
        cluster.signal("slurmctld", signal.SIGSTOP)
        lost = (await runtime.submit(job(record, "sleep 0.5"))).job_id
        await until_event(runtime, lost, "job_outcome_unknown")
        asked = commands.calls("squeue")
        await until(lambda: commands.calls("squeue") >= asked + 2)
        assert lines(record) == []
        cluster.signal("slurmctld", signal.SIGCONT)
        assert await ended(runtime, lost) == COMPLETED
        assert commands.calls("sbatch") == 1
    assert [job_id for job_id, _ in lines(record)] == [lost]
    assert (await submissions(cluster))[lost] == 1


async def test_an_acceptance_that_comes_after_the_first_absent_is_adopted(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """One answer of the controller without the job proves nothing."""
    record = tmp_path / "record"
    commands.strike("sbatch", KEPT_BACK)
    async with supervised(tmp_path, cluster, commands, absent_after=30.0) as runtime:
        lost = (await runtime.submit(job(record))).job_id
        await until_event(runtime, lost, "job_outcome_unknown")
        asked = commands.calls("squeue")
        await until(lambda: commands.calls("squeue") >= asked + 5)
        await commands.deliver()
        assert await ended(runtime, lost) == COMPLETED
        assert commands.calls("sbatch") == 1
    assert [job_id for job_id, _ in lines(record)] == [lost]


async def test_two_jobs_of_one_key_that_both_start_run_once(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """The first submission arrives after it was repeated: whichever starts first runs, and the other one does not."""
    record = tmp_path / "record"
    go = tmp_path / "go"
    commands.strike("sbatch", KEPT_BACK)
    commands.strike("scancel", "exit 0", times=100)  # else the later one might be cancelled before it starts
    async with supervised(tmp_path, cluster, commands) as runtime:
        twice = (await runtime.submit(job(record, f"until [ -e {go} ]; do sleep 0.02; done"))).job_id
        await until(lambda: len(lines(record)) == 1)  # the repeated one
        later = (await commands.deliver()).strip()
        await cluster.until(lambda jobs: dict(job[:2] for job in jobs)[later] == "FAILED")
        go.touch()
        assert await ended(runtime, twice) == COMPLETED
    assert len(lines(record)) == 1


async def test_of_two_waiting_jobs_of_one_key_the_later_is_cancelled(
    cluster: Cluster, commands: Commands, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    record, go = tmp_path / "record", tmp_path / "go"
    async with supervised(tmp_path, cluster, commands) as runtime:
        await cluster.run(
            "sbatch", "--exclusive", "--output=/dev/null", script=f"#!/bin/sh\nuntil [ -e {go} ]; do sleep 0.02; done\n"
        )
        commands.strike("sbatch", KEPT_BACK)
        twice = (await runtime.submit(job(record))).job_id
        await until_event(runtime, twice, "job_handed_over")
        later = (await commands.deliver()).strip()
        await cluster.until(lambda jobs: dict(job[:2] for job in jobs)[later] == "CANCELLED")
        assert (await runtime.jobs.get(twice)).job.status is JobStatus.QUEUED
        go.touch()
        assert await ended(runtime, twice) == COMPLETED
    assert len(lines(record)) == 1
    assert any(line.levelno == logging.WARNING and later in line.getMessage() for line in caplog.records)
