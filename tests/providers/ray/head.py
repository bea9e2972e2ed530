"""A real Ray head on loopback, which ends with whoever started it: every process of its session, by pid."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx
import trio

from tests.ports import free_ports
from tests.providers.local.stage import until
from tests.providers.ray.session import RaySession

RAY = os.environ.get("GREENROOM_TEST_RAY") or shutil.which("ray")
HOW_TO_GET_RAY = 'no Ray: make an environment with pip install "ray[default]", name its bin/ray in GREENROOM_TEST_RAY'

_PATIENCE = 90.0  # seconds for a head to start; it takes some ten


@attrs.define
class Head:
    """One place for a head: the same ports at every start; and the nodes that join it.

    ``host``: Ray lets no other node join a head at 127.0.0.1.
    """

    folder: Path
    ports: list[int] = attrs.field(factory=lambda: free_ports(6))
    host: str = "127.0.0.1"
    session: RaySession | None = None
    nodes: list[RaySession] = attrs.field(factory=list)

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.ports[1]}"

    @property
    def leader(self) -> subprocess.Popen[bytes] | None:
        """``ray start --head --block``."""
        return None if self.session is None else self.session.leader

    def start(self, cpus: int = 2) -> None:
        """Begin to start; :meth:`ready` waits for it."""
        gcs, dashboard, agent, agent_grpc, env_agent, metrics = self.ports
        self.session = self._start_ray(
            "--head", "--port", str(gcs), "--dashboard-host", self.host, "--dashboard-port", str(dashboard),
            "--runtime-env-agent-port", str(env_agent), "--temp-dir", str(self.folder), "--num-cpus", str(cpus),
            agent_ports=[agent, agent_grpc, metrics],
        )  # fmt: skip

    def start_anew(self) -> None:
        """Start at the same address while what a killed head left behind still has its other ports."""
        gcs, dashboard, *others = self.ports
        self.ports = [gcs, dashboard, *free_ports(len(others))]
        self.start()

    async def ready(self) -> None:
        """Wait until the head takes jobs."""
        with trio.fail_after(_PATIENCE):
            await until(self._answers)
        self._started.note()

    async def add_node(self, cpus: int = 1) -> RaySession:
        """Start one more node and wait until it belongs to the cluster."""
        known = await self._living_nodes()
        for _ in range(3):  # on a busy machine a new node may end, or hang, before it belongs to the cluster
            node = self._start_ray(
                "--address", f"{self.host}:{self.ports[0]}", "--num-cpus", str(cpus), agent_ports=free_ports(3)
            )  # fmt: skip
            self.nodes.append(node)
            with trio.move_on_after(_PATIENCE):
                while node.leader.poll() is None:
                    if await self._living_nodes() - known:
                        node.note()
                        return node
                    await trio.sleep(0.1)
            node.note()
            node.kill_all()
        raise AssertionError(f"no node joined the head; see {self.folder}/head.log")

    def kill(self) -> None:
        """SIGKILL to the leader alone: what it started is left to itself."""
        self._started.note()
        self._started.leader.kill()
        self._started.leader.wait()

    async def end(self) -> None:
        """SIGTERM, as an operator would; then whatever is left of the session, by pid."""
        if self.session is not None:
            self.session.note()
            leader = self.session.leader
            leader.terminate()
            with trio.move_on_after(30):
                await until(lambda: leader.poll() is not None)
            self.clear()

    def clear(self) -> None:
        """Kill what is left of the nodes and of the head."""
        while self.nodes:
            self.nodes.pop().kill_all()
        if self.session is not None:
            self.session.kill_all()
            self.session = None

    async def stop_jobs(self) -> None:
        """Ask every job to end; nobody waits for it."""
        async with httpx.AsyncClient(base_url=f"{self.address}/api/jobs/", timeout=30, trust_env=False) as client:
            for job in (await client.get("")).json():
                if job["submission_id"] and job["status"] in ("PENDING", "RUNNING"):
                    await client.post(f"{job['submission_id']}/stop")

    def _answers(self) -> bool:
        assert self._started.leader.poll() is None, f"the head ended; see {self.folder}/head.log"
        try:  # the list is there some seconds before the agent without which every submission is refused
            trial = {"entrypoint": "true", "submission_id": f"trial-{time.monotonic_ns()}"}
            answer = httpx.post(f"{self.address}/api/jobs/", json=trial, timeout=10, trust_env=False)
            return answer.status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def _started(self) -> RaySession:
        assert self.session is not None, "the head was not started"
        return self.session

    async def _living_nodes(self) -> set[str]:
        """Their ids: Ray counts a lost node among them for a while."""
        async with httpx.AsyncClient(base_url=self.address, timeout=30, trust_env=False) as client:
            summary = (await client.get("/nodes?view=summary")).json()["data"]["summary"]
        return {node["raylet"]["nodeId"] for node in summary if node["raylet"]["state"] == "ALIVE"}

    def _start_ray(self, *arguments: str, agent_ports: list[int]) -> RaySession:
        assert RAY is not None
        agent, agent_grpc, metrics = map(str, agent_ports)
        argv = [
            RAY, "start", "--block", "--disable-usage-stats", "--node-ip-address", self.host, *arguments,
            "--dashboard-agent-listen-port", agent, "--dashboard-agent-grpc-port", agent_grpc,
            "--metrics-export-port", metrics, "--num-gpus", "0", "--object-store-memory", "80000000",
        ]  # fmt: skip
        own = {
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            "PATH": f"{Path(RAY).parent}{os.pathsep}{os.environ['PATH']}",
        }
        if self.host == "127.0.0.1":
            own["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # else Ray takes the machine's own address instead
        with Path(self.folder, "head.log").open("ab") as log:
            leader = subprocess.Popen(
                argv, env={**os.environ, **own}, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        return RaySession(leader)


@contextmanager
def a_head(folder: Path, host: str = "127.0.0.1") -> Iterator[Head]:
    """A place for a head; nothing of it is left afterwards."""
    head = Head(folder, host=host)
    try:
        yield head
    finally:
        head.clear()
