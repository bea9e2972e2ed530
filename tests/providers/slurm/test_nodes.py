"""Nodes that fail and come back, and a controller that has lost its memory: a cluster of its own for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.jobs.records import JobStatus, Rerun
from actors.providers.slurm import nodes
from tests.providers.local.stage import is_alive, until
from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, Cluster, a_cluster, slurm_is_here
from tests.providers.slurm.parameters import Parameters
from tests.providers.slurm.supervisors import ended, job, supervised, until_event
from tests.providers.supervisors import lines, status

pytestmark = pytest.mark.parts


@pytest.fixture
def frail() -> Iterator[Cluster]:
    """A cluster that gives a node up as soon as it does not answer."""
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    with (
        tempfile.TemporaryDirectory(prefix="gr-") as folder,
        a_cluster(Path(folder), Parameters(slurmd_timeout=4)) as one,
    ):
        yield one


def daemon_of(pid: int) -> int:
    """The pid of the slurmstepd whose job this process belongs to."""
    while True:
        name, _, fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
        if name == "slurmstepd":
            return pid
        pid = int(fields.split()[1])


async def test_a_job_whose_node_came_back_without_it_is_interrupted_and_runs_again(
    frail: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when nothing of it runs any more: it catches SIGTERM, and Slurm ends it when the node registers again."""
    monkeypatch.setattr(nodes, "ORPHANS_END_WITHIN", 8.0)
    record, second = tmp_path / "record", tmp_path / "second"
    script = (
        f'[ "$GREENROOM_ATTEMPT" = 1 ] || {{ touch {second}; exit 0; }}; trap "" TERM; while :; do sleep 0.02; done'
    )
    async with supervised(tmp_path, frail) as runtime:
        one = (await runtime.submit(job(record, script, rerun=Rerun(times=1, delay=0.5)))).job_id
        await status(runtime, one, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        pid = int(lines(record)[0][1])
        await frail.kill("slurmd")
        await until_event(runtime, one, "job_uncertain")
        assert is_alive(pid)
        frail.start_slurmd()
        await until_event(runtime, one, "job_rerun")
        assert not is_alive(pid)
        assert await ended(runtime, one) == (JobStatus.COMPLETED, None)
    assert second.exists()
    assert len(lines(record)) == 2


async def test_a_job_that_a_controller_without_memory_does_not_know_is_uncertain(
    frail: Cluster, tmp_path: Path
) -> None:
    """Its state was lost, and it numbers its jobs from one again: a number is nobody's proof."""
    record = tmp_path / "record"
    async with supervised(tmp_path, frail) as runtime:
        lost = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, lost, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        step = daemon_of(int(lines(record)[0][1]))
        await frail.stop("slurmctld")
        shutil.rmtree(frail.folder / "state")
        os.mkdir(frail.folder / "state")  # noqa: PTH102 - ASYNC240 forbids the other way
        frail.start_slurmctld()
        await frail.ready()
        await runtime.queue.resume("slurm", by="bo")
        await until_event(runtime, lost, "job_uncertain")
        await until(lambda: not is_alive(step))  # the node ends what its controller does not know
        after = (await runtime.submit(job(record))).job_id  # has the other one's number now
        assert await ended(runtime, after) == (JobStatus.COMPLETED, None)
        assert (await runtime.jobs.get(lost)).job.status is JobStatus.RUNNING
        assert (await runtime.jobs.get(lost)).job.uncertain_reason is not None
        await runtime.jobs.settle(lost, "failed", by="bo")
    assert [job_id for job_id, _ in lines(record)] == [lost, after]
