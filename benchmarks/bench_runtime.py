"""What a supervisor costs: from a submission to its provider's call, at the start, and when idle.

    python benchmarks/bench_runtime.py [--jobs 200] [--starts 4] [--seconds 6] [--json]

``submit to call``: a job is submitted to an idle supervisor on a real SQLite file, and a provider in the same process
records when it is called; between them are two commits, the job and the intent. The baseline is two bare commits of
one row to the same file. The process figures are those of ``python -m actors run`` with the local provider: the time
until it has served a request on its socket (with a fresh state directory, in which the schema is created, and with an
existing one), its resident memory, and the CPU time of all its threads while it is idle. Their baseline is a bare
interpreter, started in turn. The last lines are imports: their time compared with the bare interpreter, and which heavy
packages they load.
"""

from __future__ import annotations

import functools
import json
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from common import Figure, arguments, below, environment, in_turn, percentile, ratio, report

from actors.jobs.records import JobRequest
from actors.providers.base import Prepared, Submitted
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.runtime import Parts, open_runtime
from actors.settings import Settings
from actors.store.state_directory import DATABASE

HEAVY = (
    "trio",
    "sqlalchemy",
    "alembic",
    "httpx",
    "hypercorn",
    "starlette",
    "rich",
    "yaml",
    "sqlalchemy.dialects.postgresql",
)
REST = 0.02
"""Seconds after a job's end until the supervisor is idle again."""


# From a submission to the call.


class Stamping(ScriptedProvider):
    """Records when it is called and sets an event."""

    called = 0.0
    calls = trio.Event()

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """The measured call."""
        self.called = time.perf_counter()
        self.calls.set()
        return await super().submit(key, token, prepared, context)


def two_commits(connection: sqlite3.Connection) -> float:
    """The baseline: the least between a submission and its call."""
    start = time.perf_counter()
    for _ in range(2):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bench (data) VALUES ('one row')")
        connection.execute("COMMIT")
    return time.perf_counter() - start


async def latency(jobs: int, folder: Path) -> list[Figure]:
    """One job after the other, each on an idle supervisor."""
    provider = Stamping(ScriptedOptions(duration=0))
    settings = attrs.evolve(Settings.default(state_dir=folder, environ={}), providers={})
    answers, calls, baseline = [], [], []
    async with open_runtime(settings, Parts(providers=[provider])) as runtime:
        connection = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=5)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE bench (id INTEGER PRIMARY KEY, data TEXT)")
        for _ in range(jobs):
            provider.calls = trio.Event()
            start = time.perf_counter()
            job = await runtime.submit(JobRequest(provider="scripted", command=("true",), user_id="ana"))
            answers.append(time.perf_counter() - start)
            await provider.calls.wait()
            await runtime.wait(job.job_id)
            calls.append(provider.called - start)
            await trio.sleep(REST)
            baseline.append(two_commits(connection))
        connection.close()
    usual, late = ratio(calls, baseline), percentile(calls, 99) / percentile(baseline, 99)
    p50 = Figure("submit to call, p50", percentile(calls, 50) * 1e3, "ms", "two bare commits", usual)
    p99 = Figure("submit to call, p99", percentile(calls, 99) * 1e3, "ms", "p99 of two bare commits", late)
    return [
        Figure("submit to answer, p50", percentile(answers, 50) * 1e3, "ms"),
        attrs.evolve(p50, target="<= 8.5 x", met=usual <= 8.5, note=f"best {min(calls) * 1e3:.2f}"),
        attrs.evolve(p99, target="<= 8 x", met=late <= 8),
    ]


# The process.


def python(*words: str, folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start this interpreter, with its state in ``folder``."""
    return subprocess.Popen([sys.executable, *words], env=environment(folder), stdout=subprocess.DEVNULL, **options)


def finished(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end; exit if it is a failure."""
    if process.wait(timeout=30):
        raise SystemExit(f"{process.args!r} ended with status {process.returncode}")


@contextmanager
def supervisor(folder: Path) -> Iterator[tuple[int, float]]:
    """``greenroom run``: its pid, and the seconds until it served its first request on its socket."""
    start = time.perf_counter()
    process = python("-m", "actors", "run", folder=folder)
    try:
        while True:
            with socket.socket(socket.AF_UNIX) as asked:
                try:
                    asked.connect(str(folder / "greenroom.sock"))
                    asked.sendall(b"GET /health HTTP/1.1\r\nHost: greenroom\r\nConnection: close\r\n\r\n")
                    if asked.recv(12) != b"HTTP/1.1 200":
                        raise SystemExit("the supervisor is not well")
                    break
                except OSError:
                    if process.poll() is not None or time.perf_counter() - start > 30:
                        raise SystemExit("the supervisor did not come up") from None
                    time.sleep(0.002)
        yield process.pid, time.perf_counter() - start
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def resident(pid: int) -> float:
    """Resident memory in MB (of 10^6 bytes)."""
    status = Path(f"/proc/{pid}/status").read_text()
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kibibytes) * 1024 / 1e6


def busy(pid: int) -> float:
    """CPU seconds of all threads so far, with nanosecond resolution (clock ticks are too coarse)."""
    return sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def bare_start(folder: Path) -> float:
    """Seconds of an interpreter that does nothing."""
    start = time.perf_counter()
    finished(python("-c", "pass", folder=folder))
    return time.perf_counter() - start


def process_figures(starts: int, seconds: int, folder: Path) -> list[Figure]:
    """Start, memory and idle CPU."""
    fresh, again, bare, working = [], [], [], []
    with supervisor(folder / "first"):
        pass  # which writes the bytecode
    for number in range(starts):
        home = folder / f"home-{number}"
        with supervisor(home) as (_, ready):
            fresh.append(ready)
        bare.append(bare_start(home))
        with supervisor(home) as (pid, ready):
            again.append(ready)
            working.append(busy(pid))
    with supervisor(folder / "home-0") as (pid, _):
        time.sleep(2)  # until the work after the start is done
        before, start = busy(pid), time.perf_counter()
        time.sleep(seconds)
        idle = (busy(pid) - before) / (time.perf_counter() - start) * 100
        memory = resident(pid)
    start_up = below(_beside("start to ready", again, bare), 0.6)
    return [
        attrs.evolve(start_up, note=f"{start_up.note}, on the CPU {statistics.median(working):.2f}"),
        below(_beside("start to ready, fresh directory", fresh, bare), 0.8),
        below(Figure("resident when idle", memory, "MB"), 80),
        below(Figure("idle CPU", idle, "%", "one core"), 0.5),
    ]


def _beside(name: str, ours: list[float], bare: list[float]) -> Figure:
    best = f"best {min(ours):.2f}"
    return Figure(name, statistics.median(ours), "s", "a bare interpreter", ratio(ours, bare), note=best)


# Imports.

PROBE = f"""
import json, sys
{{statement}}
status = open("/proc/self/status").read()
resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps({{{{"MB": int(resident) * 1024 / 1e6, "loaded": loaded}}}}), file=sys.stderr)
"""
IMPORTS = {
    "import supervision": ("import supervision", ()),
    "import actors.kernel": ("import actors.kernel", ("sqlalchemy", "alembic", "httpx", "hypercorn", "starlette")),
    "greenroom jobs, loaded": (
        "sys.argv = ['greenroom', 'jobs']; from actors.cli import main\ntry: main()\nexcept SystemExit: pass",
        HEAVY,
    ),
    "import actors.runtime": (
        "import actors.runtime",
        ("alembic", "hypercorn", "httpx", "rich", "yaml", "sqlalchemy.dialects.postgresql"),
    ),
}


def probe(statement: str, folder: Path) -> dict[str, Any]:
    """Run a statement in its own interpreter: the modules that it loads, and its memory."""
    process = python("-c", PROBE.format(statement=statement), folder=folder, stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=30)
    found: dict[str, Any] = json.loads(errors.splitlines()[-1])
    return found


def import_figures(rounds: int, folder: Path) -> list[Figure]:
    """Seconds compared with a bare interpreter, and the modules that must not be loaded."""
    figures = []
    with supervisor(folder / "home-0"):
        ask: Callable[[str], dict[str, Any]] = functools.partial(probe, folder=folder / "home-0")
        for name, (statement, forbidden) in IMPORTS.items():
            taken = trio.run(in_turn, rounds, {
                "ours": functools.partial(ask, statement), "bare": functools.partial(ask, "pass"),
            })  # fmt: skip
            found = ask(statement)
            figure = _beside(name, taken["ours"], taken["bare"])
            met = not set(forbidden) & set(found["loaded"])
            note = f"{found['MB']:.0f} MB; loads {', '.join(found['loaded'])}"
            figures.append(attrs.evolve(figure, target="only what it needs", met=met, note=note))
    return figures


def main() -> None:
    """Measure and report."""
    options = arguments(
        __doc__,
        jobs=(200, "jobs submitted one after the other"),
        starts=(4, "starts of the process"),
        seconds=(6, "seconds of watching an idle supervisor"),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = trio.run(latency, options.jobs, folder / "latency")
        figures += process_figures(options.starts, options.seconds, folder)
        figures += import_figures(options.starts, folder)
    report(figures, as_json=options.json)


if __name__ == "__main__":
    main()
