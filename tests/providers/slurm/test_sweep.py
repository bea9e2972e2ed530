"""Many jobs at once on a real cluster, with one look for all of them, and jobs of several tasks."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobStatus
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import Commands
from tests.providers.slurm.supervisors import job, submissions, supervised
from tests.providers.supervisors import lines

pytestmark = pytest.mark.parts

JOBS = 100 if os.environ.get("GREENROOM_SWEEP") == "all" else 20


async def test_a_sweep_runs_each_of_its_jobs_once(cluster: Cluster, commands: Commands, tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster, commands) as runtime:
        asked = trio.current_time()
        ids = [
            (await runtime.submit(job(record, "exit 4" if number % 5 == 4 else "true"))).job_id
            for number in range(JOBS)
        ]
        ends = [(await runtime.wait(job_id)).status for job_id in ids]
        rounds = (trio.current_time() - asked) / 0.2
        assert Counter(ends) == {JobStatus.COMPLETED: JOBS * 4 // 5, JobStatus.FAILED: JOBS // 5}
    assert Counter(job_id for job_id, _ in lines(record)) == dict.fromkeys(ids, 1)
    at_slurm = await submissions(cluster)
    assert [at_slurm[job_id] for job_id in ids] == [1] * JOBS
    assert commands.calls("sbatch") == JOBS
    assert commands.calls("squeue") <= rounds + 5  # one a round, and never one a job
