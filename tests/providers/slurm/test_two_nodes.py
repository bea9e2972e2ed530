"""One job on two nodes: what `torchrun` needs is there, and its end is one end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.jobs.records import JobStatus, Resources
from tests.providers.local.stage import until
from tests.providers.ray.head import free_ports
from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, Cluster, a_cluster, slurm_is_here
from tests.providers.slurm.parameters import Parameters
from tests.providers.slurm.supervisors import ended, job, supervised
from tests.providers.supervisors import lines

pytestmark = pytest.mark.parts

# Each task meets the first one, at an address that both know, as `torchrun --rdzv-endpoint` does.
MEETS = """
import os, socket
rank, size, port = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"]), int(os.environ["PORT"])
mine = f"{rank} on {os.environ['SLURMD_NODENAME']}"
if rank == 0:
    with socket.create_server(("127.0.0.1", port)) as server:
        open(os.environ["READY"], "w").close()
        others = [server.accept()[0].recv(100).decode() for _ in range(size - 1)]
    with open(os.environ["MET"], "w") as met:
        met.write("\\n".join([mine, *sorted(others)]))
else:
    while not os.path.exists(os.environ["READY"]):
        pass
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(mine.encode())
"""


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    """A cluster whose partition ``wide`` has two nodes, each with a slurmd of its own on this machine."""
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    with tempfile.TemporaryDirectory(prefix="gr-") as folder:
        (port,) = free_ports(1)
        second = f"node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=8000 Gres=gpu:2"
        of_each = {"SlurmdSpoolDir": f"{folder}/spool-%n", "SlurmdPidFile": f"{folder}/slurmd-%n.pid"}
        with a_cluster(Path(folder), Parameters(more={"NodeName": second, **of_each})) as cluster:
            yield cluster


async def _widen(cluster: Cluster) -> None:
    cluster._daemons["slurmd of node1"] = cluster._daemons.pop("slurmd")
    cluster.start_daemon("slurmd", "-D", "-N", "node2")
    await cluster.run("scontrol", "create", "PartitionName=wide", "Nodes=node1,node2", "State=UP")
    while "idle 2" not in await cluster.run("sinfo", "--noheader", "--partition=wide", "--format=%T %D"):
        pass


async def test_a_job_on_two_nodes_has_a_task_on_each(two_nodes: Cluster, tmp_path: Path) -> None:
    record, met, ready = tmp_path / "record", tmp_path / "met", tmp_path / "ready"
    await _widen(two_nodes)
    (port,) = free_ports(1)
    script = tmp_path / "meets.py"
    script.write_text(MEETS)
    env = {"MET": str(met), "READY": str(ready), "PORT": str(port), "PATH": two_nodes.environ["PATH"]}
    spec = {"partition": "wide", "nodes": 2, "ntasks_per_node": 1}
    async with supervised(tmp_path, two_nodes) as runtime:
        wide = job(record, f"srun python3 {script}", env=env, spec=spec, resources=Resources(cpus=2, gpus=1))
        one = (await runtime.submit(wide)).job_id
        assert await ended(runtime, one) == (JobStatus.COMPLETED, None)
        assert (await runtime.jobs.get(one)).job.devices == ("0",)
    assert met.read_text() == "0 on node1\n1 on node2"
    assert len(lines(record)) == 1  # the script runs once, on the first node
    await until(ready.exists)


async def test_a_task_that_fails_on_the_second_node_fails_the_job(two_nodes: Cluster, tmp_path: Path) -> None:
    await _widen(two_nodes)
    fails = "srun sh -c '[ \"$SLURMD_NODENAME\" = node1 ] || exit 7'"
    spec = {"partition": "wide", "nodes": 2, "ntasks_per_node": 1}
    env = {"PATH": two_nodes.environ["PATH"]}
    async with supervised(tmp_path, two_nodes) as runtime:
        one = (await runtime.submit(job(tmp_path / "record", fails, env=env, spec=spec))).job_id
        status, why = await ended(runtime, one)
        assert (status, (await runtime.jobs.get(one)).job.exit_code) == (JobStatus.FAILED, 7)
        assert "node2: task 1: Exited with exit code 7" in (why or "")
