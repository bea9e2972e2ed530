"""The example: a cluster of one node by its script, and the sweep of ``make run`` on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.left_processes import left_by
from tests.ports import free_ports
from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, slurm_is_here
from tests.providers.slurm.supervisors import PATIENCE

pytestmark = pytest.mark.parts

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "slurm"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a copy of the example in which its fixed paths and ports are this test's own."""
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    with tempfile.TemporaryDirectory(prefix="gr-") as folder:
        changed = {"/tmp/greenroom-slurm": f"{folder}/cluster"}
        changed |= dict(zip(("16817", "16818"), map(str, free_ports(2)), strict=True))
        for name in ("one-node", "greenroom.yaml"):
            text = (EXAMPLE / name).read_text()
            for old, new in changed.items():
                assert name != "one-node" or old in text
                text = text.replace(old, new)
            Path(folder, name).write_text(text)
        Path(folder, "one-node").chmod(0o755)
        yield Path(folder)


async def test_the_sweep_runs_on_the_examples_cluster_which_ends_with_its_script(place: Path) -> None:
    with trio.fail_after(PATIENCE):
        cluster = await trio.lowlevel.open_process([str(place / "one-node")], stdout=subprocess.PIPE, cwd=place)
        try:
            assert cluster.stdout is not None
            assert await cluster.stdout.receive_some() == f"Ready: SLURM_CONF={place}/cluster/slurm.conf\n".encode()
            environ = {
                **os.environ,
                "GREENROOM_HOME": str(place / "state"),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            }
            argv = [
                sys.executable, "-m", "actors", "run", "--config", str(place / "greenroom.yaml"),
                "--file", str(ROOT / "examples" / "sweep.yaml"), "--until-idle", "--approve-as", "ana",
            ]  # fmt: skip
            done = await trio.run_process(argv, cwd=ROOT, env=environ, check=False, capture_stdout=True)
            assert b"13 jobs: 12 completed, 1 failed" in done.stdout, done.stdout.decode()
            assert b"rate-20-8 failed: exit status 1: " in done.stdout, done.stdout.decode()
        finally:
            cluster.send_signal(signal.SIGTERM)
            await cluster.wait()
    assert left_by((os.fsencode(place),)) == []
