"""What the other tests rely on: the cluster of these tests, and what Slurm itself does there."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
import trio

from tests.left_processes import left_by
from tests.providers.local.stage import is_alive, until
from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, Cluster, a_cluster, slurm_is_here
from tests.providers.slurm.parameters import Parameters

pytestmark = pytest.mark.parts


async def submit(cluster: Cluster, script: str, *options: str, comment: str = "key") -> str:
    argv = ("sbatch", "--parsable", f"--comment={comment}", f"--output={cluster.folder}/out", *options)
    return (await cluster.run(*argv, script=f"#!/bin/sh\n{script}\n")).strip()


def test_nothing_of_a_cluster_is_left_not_even_a_job(tmp_path: Path) -> None:
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    pid_file = tmp_path / "pid"
    with tempfile.TemporaryDirectory(prefix="gr-") as folder:
        with a_cluster(Path(folder), Parameters(gpus=0)) as cluster:
            script = (
                f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; trap '' TERM; setsid sleep 1000 & sleep 1000"
            )
            trio.run(submit, cluster, script)
            trio.run(until, pid_file.exists)
        assert not is_alive(int(pid_file.read_text()))
        assert left_by((os.fsencode(folder),)) == []


async def test_a_job_runs_and_is_listed_with_its_comment(cluster: Cluster) -> None:
    number = await submit(cluster, "exit 0", "--gpus=1", comment="some key")
    await cluster.until(lambda jobs: (number, "COMPLETED", "some key") in jobs)


async def test_sbatch_times_out_while_the_controller_is_stopped_and_the_job_runs_all_the_same(cluster: Cluster) -> None:
    """The fact on which the rules for a lost answer stand."""
    cluster.signal("slurmctld", signal.SIGSTOP)
    answer = await submit(cluster, "exit 0", comment="lost")
    cluster.signal("slurmctld", signal.SIGCONT)
    assert "Socket timed out" in answer
    await cluster.until(lambda jobs: [job[1] for job in jobs if job[2] == "lost"] == ["COMPLETED"])


async def test_the_processes_of_a_job_outlive_both_daemons(cluster: Cluster) -> None:
    number = await submit(cluster, "sleep 1000", comment="tough")
    await cluster.until(lambda jobs: (number, "RUNNING", "tough") in jobs)
    await cluster.kill("slurmd")
    await cluster.stop("slurmctld")
    cluster.start_slurmctld()
    await cluster.ready()
    assert (number, "RUNNING", "tough") in await cluster.submissions()
