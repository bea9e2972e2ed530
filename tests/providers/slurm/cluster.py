"""A real Slurm cluster on loopback, of one node or several, whose processes end with whoever started it."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import trio

from tests.ports import free_ports
from tests.providers.local.stage import until
from tests.providers.slurm.parameters import Parameters

HOW_TO_GET_SLURM = "no Slurm: apt-get install slurm-wlm munge"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
_SYSTEM_PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"  # daemons lie where users do not look
_PATIENCE = 60.0  # seconds for a cluster to start; it takes some two


def slurm_is_here() -> bool:
    """Whether every program of a cluster can be found."""
    return all(shutil.which(name, path=_SYSTEM_PATH) for name in _PROGRAMS)


@attrs.define
class Daemon:
    """One process of the cluster. It is signalled by a descriptor: its number may be given to another one later."""

    name: str
    pid: int
    descriptor: int

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)

    def has_ended(self) -> bool:
        return bool(select.select([self.descriptor], [], [], 0)[0])

    async def ended(self) -> None:
        with trio.fail_after(_PATIENCE):
            await trio.lowlevel.wait_readable(self.descriptor)
        os.close(self.descriptor)


@attrs.define
class Cluster:
    """One place for a cluster: the same ports and state at every start of its daemons.

    These are called ``slurmctld`` and ``slurmd``; of further nodes ``slurmd-node2`` and so on.
    """

    folder: Path
    parameters: Parameters
    _keeper: subprocess.Popen[str]
    _ports: list[int]
    _daemons: dict[str, Daemon] = attrs.field(factory=dict)

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def environ(self) -> dict[str, str]:
        """What a command needs to find this cluster."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "SQUEUE"))}
        return {**own, "PATH": _SYSTEM_PATH, "SLURM_CONF": str(self.conf)}

    def write(self) -> None:
        """Write the configuration, the key and the directories."""
        for name in ("state", "munge", *(f"spool-{node}" for node in self.parameters.node_names)):
            (self.folder / name).mkdir()
        (self.folder / "munge").chmod(0o711)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self.conf.write_text(self.parameters.text(self.folder, self._ports[0], self._ports[1:]))
        # Slurm counts a GPU where it finds a device file, and looks no closer.
        devices = [self.folder / f"gpu{number}" for number in range(self.parameters.gpus)]
        for device in devices:
            device.symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in devices))

    async def start(self) -> None:
        """Start everything, and wait until jobs can run."""
        munge = self.folder / "munge"
        self.start_daemon(
            "munged", "munged", "--foreground", "--force",
            f"--key-file={self.folder}/munge.key", f"--socket={munge}/socket",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        await until((munge / "socket").exists)
        self.start_slurmctld()
        for node in self.parameters.node_names:
            self.start_slurmd(node)
        await self.ready()

    def start_slurmctld(self) -> None:
        """Begin to start; :meth:`ready` waits for it. Jobs of the last one are there again."""
        self.start_daemon("slurmctld", "slurmctld", "-D")

    def start_slurmd(self, node: str = "node1") -> None:
        """As :meth:`start_slurmctld`."""
        self.start_daemon("slurmd" if node == "node1" else f"slurmd-{node}", "slurmd", "-D", "-N", node)

    def start_daemon(self, name: str, command: str, *arguments: str) -> None:
        program = shutil.which(command, path=_SYSTEM_PATH)
        assert program is not None
        order = {"argv": [program, *arguments], "env": self.environ, "log": str(self.log(name))}
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(json.dumps(order) + "\n")
        self._keeper.stdin.flush()
        pid = int(self._keeper.stdout.readline())
        self._daemons[name] = Daemon(name, pid, os.pidfd_open(pid))

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def signal(self, name: str, number: signal.Signals) -> None:
        """SIGSTOP and SIGCONT suspend a daemon and let it go on: what is sent to it meanwhile waits in its socket."""
        self._daemons[name].send(number)

    async def kill(self, name: str) -> None:
        """SIGKILL to a daemon alone; the processes of jobs go on."""
        await self._end(name, signal.SIGKILL)

    async def stop(self, name: str) -> None:
        """SIGTERM, as an operator would."""
        await self._end(name, signal.SIGTERM)

    async def _end(self, name: str, number: signal.Signals) -> None:
        daemon = self._daemons.pop(name)
        daemon.send(number)
        daemon.send(signal.SIGCONT)
        await daemon.ended()

    async def ready(self) -> None:
        """Wait until the controller answers and the node takes jobs."""
        with trio.fail_after(_PATIENCE):
            while not (self._node_listens() and await self._nodes_take_jobs()):
                for daemon in self._daemons.values():
                    assert not daemon.has_ended(), f"{daemon.name} ended: {self.log(daemon.name).read_text()[-2000:]}"
                await trio.sleep(0.05)

    async def _nodes_take_jobs(self) -> bool:
        states = (await self.run("sinfo", "--noheader", "--Node", "--format=%T")).split()
        taking = [state for state in states if state in ("idle", "mixed", "allocated", "completing")]
        return len(taking) == self.parameters.nodes

    def _node_listens(self) -> bool:
        """Whether the first slurmd can be reached, where it was not ended on purpose."""
        if "slurmd" not in self._daemons:
            return True
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self._ports[1])) == 0

    async def run(self, *argv: str, script: str = "") -> str:
        """One command of Slurm, with ``script`` as its input; what it prints, its errors too."""
        done = await trio.run_process(
            list(argv),
            env=self.environ,
            check=False,
            stdin=script.encode(),
            capture_stdout=True,
            stderr=subprocess.STDOUT,
        )
        return done.stdout.decode(errors="replace")

    async def submissions(self) -> list[tuple[str, str, str]]:
        """Every job that the controller still knows, oldest first: its id, state and comment."""
        listed = await self.run("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%k")
        rows = [line.split("|", 2) for line in listed.splitlines() if line.count("|") == 2]
        return [(number, state, comment) for number, state, comment in rows]

    async def until(self, condition: Callable[[list[tuple[str, str, str]]], bool]) -> None:
        """Wait until ``condition`` holds for what :meth:`submissions` returns."""
        with trio.fail_after(_PATIENCE):
            while not condition(await self.submissions()):  # noqa: ASYNC110 - told by other processes
                await trio.sleep(0.05)

    async def cancel_all(self) -> None:
        """End every job, and wait until the node is idle again."""
        await self.run("scancel", "--full", "--signal=KILL", f"--user={getpass.getuser()}")
        await self.run("scancel", f"--user={getpass.getuser()}")
        with trio.move_on_after(3) as waited:
            await self.until(_all_ended)
        if waited.cancelled_caught:  # a node whose daemon was killed is asked about its jobs only once in a while
            for state in ("DOWN", "RESUME"):
                await self.run("scontrol", "update", "NodeName=node1", f"State={state}", "Reason=tests")
            await self.until(_all_ended)
            await self.ready()

    async def restore(self) -> None:
        """Bring a cluster that a test has left in any state back to one that is idle."""
        for name, start in (("slurmctld", self.start_slurmctld), ("slurmd", self.start_slurmd)):
            if name in self._daemons and not self._daemons[name].has_ended():
                self.signal(name, signal.SIGCONT)
            else:
                start()
        await self.ready()
        await self.cancel_all()

    def close(self) -> None:
        """Kill everything that is left, the processes of jobs too."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(_PATIENCE)
        assert self._keeper.stdout is not None
        self._keeper.stdout.close()
        for daemon in self._daemons.values():
            os.close(daemon.descriptor)
        self._daemons.clear()


def _all_ended(jobs: list[tuple[str, str, str]]) -> bool:
    return all(state in ENDED for _, state, _ in jobs)


@contextmanager
def a_cluster(folder: Path, parameters: Parameters | None = None) -> Iterator[Cluster]:
    """A cluster that takes jobs; nothing of it is left afterwards. ``folder`` is one of its own."""
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py"))]
    keeper = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    parameters = parameters or Parameters()
    cluster = Cluster(folder, parameters, keeper, free_ports(1 + parameters.nodes))
    try:
        cluster.write()
        trio.run(cluster.start)
        yield cluster
    finally:
        cluster.close()
