"""One real cluster for all tests; a test may stop or kill its daemons, and leaves it as it likes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, Cluster, a_cluster, slurm_is_here
from tests.providers.slurm.commands import Commands


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """A cluster that takes jobs: one node that claims eight CPUs and two GPUs."""
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    # Not below pytest's directories: munge's socket lies in it, and a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="gr-") as folder, a_cluster(Path(folder)) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The same cluster, idle again after the test."""
    yield shared_cluster
    trio.run(shared_cluster.restore)


@pytest.fixture
def commands(cluster: Cluster, tmp_path: Path) -> Commands:
    """Slurm's commands, each of which a test can have struck by a fault."""
    return Commands.in_folder(tmp_path / "commands", cluster)
