"""What ``greenroom doctor`` says of a real cluster, and of one that cannot be used."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import Commands
from tests.providers.slurm.supervisors import supervisors_at

pytestmark = pytest.mark.parts


async def line(folder: Path, cluster: Cluster, commands: Commands | None = None, **options: Any) -> str:
    """The line of the provider."""
    supervisors = supervisors_at(folder, cluster, commands, **options)
    supervisors.write(jobs=0)
    done = await supervisors.run("doctor", capture_stdout=True)
    (found,) = [line for line in done.stdout.decode().splitlines() if "provider slurm" in line]
    return " ".join(found.split())


async def test_a_cluster_that_answers(cluster: Cluster, tmp_path: Path) -> None:
    assert await line(tmp_path, cluster) == "ok provider slurm answers, and accepts its credentials"


async def test_a_controller_that_hangs_and_one_that_is_away(cluster: Cluster, tmp_path: Path) -> None:
    cluster.signal("slurmctld", signal.SIGSTOP)
    assert "scontrol failed: slurm_load_ctl_conf error: Socket timed out" in await line(tmp_path, cluster)
    await cluster.stop("slurmctld")
    assert "Unable to contact slurm controller" in await line(tmp_path, cluster)


async def test_commands_that_are_missing(cluster: Cluster, tmp_path: Path) -> None:
    assert "sbatch is not found: set providers.slurm.path" in await line(tmp_path, cluster, path="/nowhere")


async def test_a_slurm_that_is_too_old(cluster: Cluster, commands: Commands, tmp_path: Path) -> None:
    commands.strike("squeue", "echo slurm 18.08.5")
    assert "slurm is slurm 18.08.5: Slurm 20.02 or newer is needed" in await line(tmp_path, cluster, commands)


async def test_a_directory_that_cannot_be_made(cluster: Cluster, tmp_path: Path) -> None:
    assert "/proc/nowhere cannot be used" in await line(tmp_path, cluster, directory="/proc/nowhere")
