"""A real Ray head on loopback, which ends with whoever started it: every process of its session, by pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs
import httpx
import trio

from tests.providers.local.stage import until

RAY = os.environ.get("GREENROOM_TEST_RAY") or shutil.which("ray")
HOW_TO_GET_RAY = 'no Ray: make an environment with pip install "ray[default]", name its bin/ray in GREENROOM_TEST_RAY'

_PATIENCE = 90.0  # seconds for a head to start; it takes some ten


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nobody has at this moment, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@attrs.define
class Head:
    """One place for a head: the same ports at every start. ``leader`` is the pid of ``ray start --block``."""

    folder: Path
    ports: list[int] = attrs.field(factory=lambda: free_ports(6))
    leader: subprocess.Popen[bytes] | None = None
    _seen: dict[int, str] = attrs.field(factory=dict)  # pid -> its start, which tells it from a later process

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    def start(self, cpus: int = 2) -> None:
        """Begin to start; :meth:`ready` waits for it."""
        assert RAY is not None
        gcs, dashboard, agent, agent_grpc, env_agent, metrics = self.ports
        argv = [
            RAY, "start", "--head", "--block", "--disable-usage-stats", "--node-ip-address", "127.0.0.1",
            "--port", str(gcs), "--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard),
            "--dashboard-agent-listen-port", str(agent), "--dashboard-agent-grpc-port", str(agent_grpc),
            "--runtime-env-agent-port", str(env_agent), "--metrics-export-port", str(metrics),
            "--num-cpus", str(cpus), "--num-gpus", "0", "--object-store-memory", "80000000",
            "--temp-dir", str(self.folder),
        ]  # fmt: skip
        own = {
            # Without the first Ray listens on the machine's address, for everybody.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            "PATH": f"{Path(RAY).parent}{os.pathsep}{os.environ['PATH']}",
        }
        with Path(self.folder, "head.log").open("ab") as log:
            self.leader = subprocess.Popen(
                argv, env={**os.environ, **own}, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    def start_anew(self) -> None:
        """Start at the same address while what a killed head left behind still has its other ports."""
        gcs, dashboard, *others = self.ports
        self.ports = [gcs, dashboard, *free_ports(len(others))]
        self.start()

    async def ready(self) -> None:
        """Wait until the head takes jobs."""
        assert self.leader is not None
        with trio.fail_after(_PATIENCE):
            await until(self._answers)
        self._note()

    def kill(self) -> None:
        """SIGKILL to the leader alone: what it started is left to itself."""
        assert self.leader is not None
        self._note()
        self.leader.kill()
        self.leader.wait()

    async def end(self) -> None:
        """SIGTERM, as an operator would; then whatever is left of the session, by pid."""
        if self.leader is not None:
            self._note()
            self.leader.terminate()
            with trio.move_on_after(30):
                await until(lambda: self.leader is None or self.leader.poll() is not None)
            self.clear()

    def clear(self) -> None:
        """Kill what is left: processes of the leader's session, and jobs, whose parents belonged to it."""
        if self.leader is None:
            return
        # Looked at again after each round: a process may be born while its parent is being killed.
        while alive := self._note():
            for pid in alive:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.leader.poll()  # else it would stay in the list as a zombie
        self.leader.wait()
        self.leader = None

    async def stop_jobs(self) -> None:
        """Ask every job to end; nobody waits for it."""
        async with httpx.AsyncClient(base_url=f"{self.address}/api/jobs/", timeout=30, trust_env=False) as client:
            for job in (await client.get("")).json():
                if job["submission_id"] and job["status"] in ("PENDING", "RUNNING"):
                    await client.post(f"{job['submission_id']}/stop")

    def _answers(self) -> bool:
        assert self.leader is not None
        assert self.leader.poll() is None, f"the head ended; see {self.folder}/head.log"
        try:  # the list is there some seconds before the agent without which every submission is refused
            trial = {"entrypoint": "true", "submission_id": f"trial-{time.monotonic_ns()}"}
            answer = httpx.post(f"{self.address}/api/jobs/", json=trial, timeout=10, trust_env=False)
            return answer.status_code == 200
        except httpx.HTTPError:
            return False

    def _note(self) -> list[int]:
        """Remember every process of the session, and every descendant of one: jobs have sessions of their own.

        Returns the living ones. A number alone would not do: it may have been given to another process meanwhile.
        """
        assert self.leader is not None
        now = {one.pid: one for one in _processes()}
        self._seen |= {pid: one.begun for pid, one in now.items() if one.session == self.leader.pid}
        ours = {pid for pid, begun in self._seen.items() if pid in now and now[pid].begun == begun}
        while more := {pid for pid, one in now.items() if one.parent in ours} - ours:
            self._seen |= {pid: now[pid].begun for pid in more}
            ours |= more
        return sorted(ours)


@attrs.frozen
class _Process:
    """One that is no zombie. ``begun``: clock ticks since boot."""

    pid: int
    parent: int
    session: int
    begun: str


def _processes() -> Iterator[_Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                yield _Process(int(entry.name), int(fields[1]), int(fields[3]), fields[19])


@contextmanager
def a_head(folder: Path) -> Iterator[Head]:
    """A place for a head; nothing of it is left afterwards."""
    head = Head(folder)
    try:
        yield head
    finally:
        head.clear()
