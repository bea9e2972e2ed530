"""What Slurm forgets: ended jobs after MinJobAge, and jobs of a node that is gone. A cluster of its own for each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobStatus
from tests.providers.local.stage import until
from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, Cluster, a_cluster, slurm_is_here
from tests.providers.slurm.parameters import Parameters
from tests.providers.slurm.supervisors import PATIENCE, ended, job, supervised, supervisors_at, until_event
from tests.providers.supervisors import LINE, lines, status

pytestmark = pytest.mark.parts


@pytest.fixture
def forgetful() -> Iterator[Cluster]:
    """A cluster that forgets an ended job within seconds, and a node as soon as it does not answer."""
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    quick = Parameters(min_job_age=2, slurmd_timeout=4)
    with tempfile.TemporaryDirectory(prefix="gr-") as folder, a_cluster(Path(folder), quick) as cluster:
        yield cluster


async def test_a_supervisor_that_was_away_for_longer_than_slurm_remembers_reads_the_jobs_own_records(
    forgetful: Cluster, tmp_path: Path
) -> None:
    """One job succeeded and one failed meanwhile; of neither does the controller know any more."""
    go = tmp_path / "go"
    supervisors = supervisors_at(tmp_path, forgetful)
    script = LINE + f'until [ -e {go} ]; do sleep 0.02; done; mkdir "$0.once" && exit 0; exit 7'
    supervisors.write(jobs=2, command=["sh", "-c", script, str(tmp_path / "record")])
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(supervisors.supervise, "--until-idle")
            await forgetful.until(lambda jobs: len(jobs) == 2)
            await until(lambda: len(lines(tmp_path / "record")) == 2)
            process.kill()
        go.touch()
        await forgetful.until(lambda jobs: jobs == [])
        await supervisors.supervise("--until-idle")
    jobs = await supervisors.jobs()
    assert sorted(one["status"] for one in jobs) == ["completed", "failed"]
    assert len(lines(tmp_path / "record")) == 2


async def test_a_job_whose_node_is_gone_is_uncertain_until_its_own_record_or_somebody_settles_it(
    forgetful: Cluster, tmp_path: Path
) -> None:
    """Slurm says NODE_FAIL when the node does not answer; the programs may still run there: they do."""
    record, go = tmp_path / "record", tmp_path / "go"
    async with supervised(tmp_path, forgetful) as runtime:
        ends = (await runtime.submit(job(record, f"until [ -e {go} ]; do sleep 0.02; done"))).job_id
        stays = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await until(lambda: len(lines(record)) == 2)
        for job_id in (ends, stays):
            await status(runtime, job_id, JobStatus.RUNNING)
        await forgetful.kill("slurmd")
        for job_id in (ends, stays):
            await until_event(runtime, job_id, "job_uncertain")
            assert (await runtime.jobs.get(job_id)).job.status is JobStatus.RUNNING
        go.touch()
        assert await ended(runtime, ends) == (JobStatus.COMPLETED, None)
        settled = await runtime.jobs.settle(stays, "failed", by="bo")
        assert settled.status is JobStatus.FAILED
    assert len(lines(record)) == 2
