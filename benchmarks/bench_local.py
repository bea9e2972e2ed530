"""What a job on this machine costs, beside bare processes, task-spooler and GNU parallel, in turn in the same run.

    python benchmarks/bench_local.py [--jobs 40] [--json]

``start`` is the time until the first instruction of the job's own program: from the first byte of the request on the
Unix socket of a supervisor, from the call of the provider's ``submit``, or, for task-spooler, from the start of its
client. ``answer`` ends with the return of ``submit``, ``round trip`` of ``true`` with its end observed after a nudge of
the provider's watch. ``true on two slots`` is a burst, submitted and observed by two loops. ``spawned`` is the same
with ``zygote: false``. CPU counts every process, the supervisor's side included. Peers that are not installed are left
out (packages ``task-spooler``, ``parallel``).
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio
from common import Figure, arguments, percentile, ratio, report

from actors.jobs.records import JobRequest, Phase
from actors.providers.local import LocalOptions, LocalProvider

STAMP = ("date", "+%s%N")
ENDED = {Phase.SUCCEEDED, Phase.FAILED}
BURST = 20  # jobs of a burst on two slots
PATIENCE = 60.0  # seconds
Samples = dict[str, list[float]]


class Bench:
    """A provider with its watch running."""

    def __init__(self, root: Path, *, zygote: bool = True) -> None:
        self.root = root
        self.provider = LocalProvider(LocalOptions(gpus=0, zygote=zygote), root)
        self.number = 0
        self._ends: dict[str, trio.Event] = {}

    def nudge(self, key: str) -> None:
        """Called by the watch: this job may have changed."""
        if key in self._ends:
            self._ends[key].set()

    async def run(self, *command: str) -> tuple[str, float, float]:
        """Run one job: its key, seconds until ``submit`` returned, and until the end was observed."""
        self.number += 1
        key = f"job-{self.number}"
        began = time.perf_counter()
        self._ends[key] = trio.Event()
        submitted = await self.provider.submit(key, key, self.provider.prepare(JobRequest(command=command)), {})
        answered = time.perf_counter() - began
        while True:
            await self._ends[key].wait()
            self._ends[key] = trio.Event()
            view = await self.provider.observe_many({key: submitted.handle})
            if view.observations[key].phase in ENDED:
                return key, answered, time.perf_counter() - began

    async def start(self) -> tuple[float, float]:
        """Seconds until the program's first instruction, and until ``submit`` returned."""
        begun = time.time_ns()
        key, answered, _ = await self.run(*STAMP)
        return (int(await trio.Path(self.root / "jobs" / key / "log").read_text()) - begun) / 1e9, answered

    async def burst(self) -> None:
        """``true`` on two slots."""

        async def slot() -> None:
            for _ in range(BURST // 2):
                await self.run("true")

        async with trio.open_nursery() as slots:
            slots.start_soon(slot)
            slots.start_soon(slot)

    async def memory(self) -> dict[str, float]:
        """Resident, proportional and private memory of one waiting shim, in MiB."""
        prepared = self.provider.prepare(JobRequest(command=("sleep", "600")))
        submitted = await self.provider.submit("waiting", "waiting", prepared, {})
        run = trio.Path(self.root / "jobs" / "waiting" / "run.json")
        while not await run.exists():  # noqa: ASYNC110 - another process writes it
            await trio.sleep(0.01)
        lines = (
            await trio.Path(f"/proc/{json.loads(await run.read_text())['shim']}/smaps_rollup").read_text()
        ).splitlines()
        found = dict(line.split(":", 1) for line in lines[1:])
        await self.provider.cancel("waiting", submitted.handle)
        kib = {name: int(found[name].split()[0]) for name in ("Rss", "Pss", "Private_Dirty")}
        return {name: round(size / 1024, 1) for name, size in kib.items()}


@asynccontextmanager
async def watched(root: Path, *, zygote: bool) -> AsyncIterator[Bench]:
    """A provider that has run a job."""
    bench = Bench(root, zygote=zygote)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.provider.watch, bench.nudge)
        for _ in range(3):
            await bench.run("true")
        yield bench
        nursery.cancel_scope.cancel()
    await bench.provider.aclose()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


@contextmanager
def supervisor(home: Path) -> Iterator[None]:
    """``greenroom run`` on a state directory of its own, which answers on its socket."""
    environment = {**os.environ, "GREENROOM_HOME": str(home), "SIMPLETUNER_LOG_LEVEL": "WARNING"}
    process = subprocess.Popen([sys.executable, "-m", "actors", "run"], env=environment, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                UnixConnection(home / "greenroom.sock").connect()
                break
            except OSError:
                if time.monotonic() >= until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def over_the_socket(home: Path) -> float:
    """Seconds from the first byte of a request to the first instruction of its program."""
    body = json.dumps({"command": list(STAMP)})
    connection = UnixConnection(home / "greenroom.sock")
    connection.connect()
    begun = time.time_ns()
    connection.request("POST", "/api/jobs", body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    job_id = (answer.get("job") or answer)["job_id"]
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for log in home.glob(f"providers/local/jobs/{job_id}*/log"):
            if text := log.read_text():
                return (int(text) - begun) / 1e9
        time.sleep(0.002)
    raise TimeoutError(f"job {answer}")


def spooler_start(tsp: str) -> float:
    """The same for task-spooler: from the start of its client."""
    begun = time.time_ns()
    number = subprocess.run([tsp, *STAMP], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run([tsp, "-w", number], check=True)
    return (int(subprocess.run([tsp, "-c", number], check=True, capture_output=True).stdout) - begun) / 1e9


def bare_start() -> float:
    """The same for a plain subprocess."""
    begun = time.time_ns()
    return (int(subprocess.run(STAMP, check=True, capture_output=True).stdout) - begun) / 1e9


def bare_trip() -> float:
    """Seconds of ``true`` as a plain subprocess."""
    began = time.perf_counter()
    subprocess.run(["true"], check=True)
    return time.perf_counter() - began


def parallel_burst(parallel: str) -> float:
    """Seconds of ``true`` on two slots of GNU parallel."""
    began = time.perf_counter()
    numbers = "\n".join(map(str, range(BURST)))
    subprocess.run([parallel, "-j2", "true"], check=True, input=numbers, text=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def cpu_seconds() -> float:
    """Of this process and of all that it has reaped."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


async def measure(jobs: int, root: Path) -> tuple[Samples, dict[str, float]]:
    """All samples, taken in turn, and the memory of a shim."""
    tsp, parallel = shutil.which("tsp"), shutil.which("parallel")
    os.environ.update(TS_SOCKET=str(root / "tsp"), TMPDIR=str(root))
    taken: Samples = {}

    def note(name: str, seconds: float) -> None:
        taken.setdefault(name, []).append(seconds)

    home = root / "home"
    with supervisor(home):
        async with watched(root / "forked", zygote=True) as forked, watched(root / "spawned", zygote=False) as spawned:
            await trio.to_thread.run_sync(over_the_socket, home)  # its zygote starts with the first look
            for number in range(jobs):
                note("start, bare", await trio.to_thread.run_sync(bare_start))
                note("trip, bare", await trio.to_thread.run_sync(bare_trip))
                if tsp:
                    note("start, tsp", await trio.to_thread.run_sync(spooler_start, tsp))
                note("start, socket", await trio.to_thread.run_sync(over_the_socket, home))
                for name, bench in (("forked", forked), ("spawned", spawned)):
                    started, answered = await bench.start()
                    note(f"start, {name}", started)
                    note(f"answer, {name}", answered)
                    note(f"trip, {name}", (await bench.run("true"))[2])
                if number % 4 == 0:
                    if parallel:
                        note("burst, parallel", await trio.to_thread.run_sync(parallel_burst, parallel))
                    for name, bench in (("forked", forked), ("spawned", spawned)):
                        began, spent = time.perf_counter(), cpu_seconds()
                        await bench.burst()
                        note(f"burst, {name}", time.perf_counter() - began)
                        note(f"cpu, {name}", (cpu_seconds() - spent) / BURST)
            memory = await forked.memory()
    if tsp:
        await trio.run_process([tsp, "-K"], check=False)
    return taken, memory


def figures(taken: Samples, memory: dict[str, float]) -> list[Figure]:
    """The lines of the report."""
    found = []

    def line(title: str, name: str, beside: str, peer: str, most: float | None = None) -> None:
        if name in taken and beside in taken:
            times = ratio(taken[name], taken[beside])
            target, met = ("", None) if most is None else (f"<= {most:g} x", times <= most)
            p50, p99 = (percentile(taken[name], percent) * 1e3 for percent in (50, 99))
            found.append(Figure(title, p50, "ms", peer, times, target, met, f"p99 {p99:.1f} ms"))

    line("start, from the request on the socket", "start, socket", "start, tsp", "task-spooler", 5.0)
    for name in ("forked", "spawned"):
        line(f"start, from the provider's submit, {name}", f"start, {name}", "start, tsp", "task-spooler")
        line(f"start, {name}", f"start, {name}", "start, bare", "a bare process")
        line(f"answer, {name}", f"answer, {name}", "start, bare", "a bare process")
        line(f"round trip of true, {name}", f"trip, {name}", "trip, bare", "a bare process")
        if "burst, parallel" in taken:
            speed = ratio(taken["burst, parallel"], taken[f"burst, {name}"])
            rate = BURST / percentile(taken[f"burst, {name}"], 50)
            target, met = (">= 0.5 x", speed >= 0.5) if name == "forked" else ("", None)
            title = f"true on two slots, {name}"
            found.append(Figure(title, rate, "/s", "GNU parallel", speed, target, met))
        found.append(Figure(f"CPU of a job, {name}", percentile(taken[f"cpu, {name}"], 50) * 1e3, "ms"))
    found += [Figure(f"memory of a shim, {name}", size, "MiB") for name, size in memory.items()]
    return found


def main() -> None:
    """Measure, and print a table or one JSON object."""
    chosen = arguments(__doc__, jobs=(40, "jobs of each kind"))
    with tempfile.TemporaryDirectory() as folder:
        taken, memory = trio.run(measure, chosen.jobs, Path(folder))
    report(figures(taken, memory), as_json=chosen.json)


if __name__ == "__main__":
    main()
