"""Jobs of several tasks on several nodes: the program runs once in Greenroom's eyes, and starts the others by srun."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.jobs.records import JobRequest, JobStatus, Resources
from actors.runtime import RunningRuntime
from tests.ports import free_ports
from tests.providers.local.stage import is_alive, until
from tests.providers.slurm.cluster import HOW_TO_GET_SLURM, Cluster, a_cluster, slurm_is_here
from tests.providers.slurm.parameters import Parameters
from tests.providers.slurm.supervisors import submissions, supervised
from tests.providers.supervisors import lines

pytestmark = pytest.mark.parts

MEET = """
import os, socket, sys
rank, tasks, port = (int(one) for one in (os.environ["SLURM_PROCID"], os.environ["SLURM_NTASKS"], sys.argv[1]))
if rank == 0:
    with socket.create_server(("127.0.0.1", port)) as server:
        met = []
        for _ in range(tasks - 1):
            with server.accept()[0] as peer:
                met.append(peer.makefile().readline().strip())
    print("met", *sorted(met), flush=True)
else:
    while True:
        try:
            peer = socket.create_connection(("127.0.0.1", port), timeout=30)
            break
        except ConnectionRefusedError:
            os.sched_yield()
    with peer:
        peer.sendall(f"{rank}@{os.environ['SLURMD_NODENAME']}\\n".encode())
"""
"""As torchrun does: rank 0 waits for all others."""


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    if not slurm_is_here():
        pytest.skip(HOW_TO_GET_SLURM)
    with tempfile.TemporaryDirectory(prefix="gr-") as folder, a_cluster(Path(folder), Parameters(nodes=2)) as one:
        yield one


def request(cluster: Cluster, *command: str) -> JobRequest:
    spec = {"nodes": 2, "ntasks_per_node": 2}
    inherited = {"PATH": cluster.environ["PATH"]}
    return JobRequest(
        provider="slurm",
        command=command,
        user_id="ana",
        resources=Resources(cpus=2, gpus=1),
        inherited_env=inherited,
        spec=spec,
    )


async def output(runtime: RunningRuntime, job_id: str) -> str:
    return b"".join([piece[0] async for piece in runtime.logs(job_id)]).decode()


async def test_tasks_on_two_nodes_meet_each_other(two_nodes: Cluster, tmp_path: Path) -> None:
    async with supervised(tmp_path, two_nodes) as runtime:
        command = ("srun", sys.executable, "-c", MEET, str(free_ports(1)[0]))
        one = (await runtime.submit(request(two_nodes, *command))).job_id
        done = await runtime.wait(one)
        told = await output(runtime, one)
        assert done.status is JobStatus.COMPLETED, (done.error_message, told)
        assert done.devices == ("0",)  # of the first node
    assert told == "met 1@node1 2@node2 3@node2\n"
    assert (await submissions(two_nodes))[one] == 1


async def test_a_task_that_fails_on_the_second_node_fails_the_job(two_nodes: Cluster, tmp_path: Path) -> None:
    async with supervised(tmp_path, two_nodes) as runtime:
        fails = ("srun", "sh", "-c", '[ "$SLURM_PROCID" != 3 ] || exit 7')
        one = (await runtime.submit(request(two_nodes, *fails))).job_id
        done = await runtime.wait(one)
        assert (done.status, done.exit_code) == (JobStatus.FAILED, 7)
        assert "node2: task 3: Exited with exit code 7" in (done.error_message or "")


async def test_a_cancel_ends_the_tasks_of_every_node(two_nodes: Cluster, tmp_path: Path) -> None:
    record = tmp_path / "record"
    script = f'echo "$SLURMD_NODENAME $$" >> {record}; exec sleep 1000'
    async with supervised(tmp_path, two_nodes) as runtime:
        one = (await runtime.submit(request(two_nodes, "srun", "sh", "-c", script))).job_id
        await until(lambda: len(lines(record)) == 4)
        await runtime.cancel(one, by="ana")
        assert (await runtime.wait(one)).status is JobStatus.CANCELLED
    assert sorted(node for node, _ in lines(record)) == ["node1"] * 2 + ["node2"] * 2
    await until(lambda: not any(is_alive(int(pid)) for _, pid in lines(record)))
