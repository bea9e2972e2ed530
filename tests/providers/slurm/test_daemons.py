"""The daemons of the cluster stop, restart and die while jobs wait and run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from actors.jobs.records import JobStatus, Resources
from actors.providers.slurm import statuses
from tests.providers.local.stage import is_alive, until
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import Commands
from tests.providers.slurm.supervisors import (
    ended,
    job,
    submissions,
    supervised,
    until_event,
)
from tests.providers.supervisors import lines, status, until_put_back

pytestmark = pytest.mark.parts

COMPLETED = (JobStatus.COMPLETED, None)


def waiting_for(go: Path) -> str:
    return f"until [ -e {go} ]; do sleep 0.02; done"


async def test_a_restart_of_the_controller_changes_nothing_for_jobs_that_run_or_wait(
    cluster: Cluster, tmp_path: Path
) -> None:
    """What comes while it is away waits in Greenroom's queue, and no attempt is counted."""
    record, go = tmp_path / "record", tmp_path / "go"
    async with supervised(tmp_path, cluster) as runtime:
        whole = Resources(cpus=8)
        running = (await runtime.submit(job(record, waiting_for(go), resources=whole))).job_id
        await status(runtime, running, JobStatus.RUNNING)
        waiting = (await runtime.submit(job(record, resources=whole))).job_id
        await status(runtime, waiting, JobStatus.QUEUED)
        await cluster.stop("slurmctld")
        meanwhile = (await runtime.submit(job(record))).job_id
        await until_put_back(runtime, meanwhile)
        assert (await runtime.jobs.get(running)).job.status is JobStatus.RUNNING
        cluster.start_slurmctld()
        await cluster.ready()
        await runtime.queue.resume("slurm", by="bo")  # somebody who knows that it is back need not wait
        go.touch()
        ids = (running, waiting, meanwhile)
        assert [await ended(runtime, job_id) for job_id in ids] == [COMPLETED] * 3
        assert (await runtime.jobs.get(meanwhile)).entry.attempt == 0
        at_slurm = await submissions(cluster)
        assert [at_slurm[job_id] for job_id in ids] == [1, 1, 1]
    assert Counter(job_id for job_id, _ in lines(record)) == dict.fromkeys(ids, 1)


async def test_a_job_ends_by_its_own_record_though_the_nodes_daemon_was_killed(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes go on, and Slurm would have it running or completing until the daemon is back."""
    monkeypatch.setitem(statuses.SETTLE_SECONDS, "COMPLETING", 1.0)
    monkeypatch.setattr(statuses, "USUAL_SETTLE_SECONDS", 1.0)
    record, go = tmp_path / "record", tmp_path / "go"
    async with supervised(tmp_path, cluster) as runtime:
        orphan = (await runtime.submit(job(record, f"{waiting_for(go)}; exit 3"))).job_id
        await status(runtime, orphan, JobStatus.RUNNING)
        await cluster.kill("slurmd")
        go.touch()
        done, why = await ended(runtime, orphan)
        assert done is JobStatus.FAILED
        assert why is not None
        assert "3" in why
    assert len(lines(record)) == 1


async def test_cancels_reach_a_waiting_and_a_running_job(cluster: Cluster, tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster) as runtime:
        whole = Resources(cpus=8)
        running = (await runtime.submit(job(record, "exec sleep 1000", resources=whole))).job_id
        await status(runtime, running, JobStatus.RUNNING)
        waiting = (await runtime.submit(job(record, "exec sleep 1000", resources=whole))).job_id
        await status(runtime, waiting, JobStatus.QUEUED)
        await until(lambda: len(lines(record)) == 1)
        for job_id in (waiting, running):
            await runtime.cancel(job_id, by="ana")
        assert [await ended(runtime, job_id) for job_id in (waiting, running)] == [
            (JobStatus.CANCELLED, "Cancelled by ana")
        ] * 2
    ((ran, pid),) = lines(record)
    assert ran == running
    await until(lambda: not is_alive(int(pid)))


async def test_a_cancel_is_repeated_until_the_controller_has_heard_it(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """It is away meanwhile; a job that catches SIGTERM and goes its own way counts as cancelled all the same."""
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster, commands) as runtime:
        script = "trap 'exit 3' TERM; while :; do sleep 0.02; done"
        running = (await runtime.submit(job(record, script))).job_id
        await status(runtime, running, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        await cluster.stop("slurmctld")
        await runtime.cancel(running, by="ana")
        await until_event(runtime, running, "job_cancel_requested")
        asked = commands.calls("squeue")
        await until(lambda: commands.calls("squeue") >= asked + 2)
        cluster.start_slurmctld()
        await cluster.ready()
        await runtime.queue.resume("slurm", by="bo")
        assert await ended(runtime, running) == (JobStatus.CANCELLED, "Cancelled by ana")


async def test_a_job_that_runs_for_too_long_ends_with_that_reason(cluster: Cluster, tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster) as runtime:
        slow = (await runtime.submit(job(record, "exec sleep 1000", max_runtime=3))).job_id
        done, why = await ended(runtime, slow)
        assert done is JobStatus.FAILED
        assert why is not None
        assert "deadline" in why
    ((_, pid),) = lines(record)
    await until(lambda: not is_alive(int(pid)))
