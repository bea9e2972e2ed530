"""What a job on this machine costs, compared with a bare process: start, round trip, memory.

    python benchmarks/bench_local.py [--jobs 100] [--json]

``start`` is the time from the call of ``submit`` to the first instruction of the job's own program, ``answer`` to the
return of ``submit``, ``round trip`` to the observed end of ``true``, reported by the provider's watch. The bare
figures are a plain subprocess of the same program in the same run. Compare figures of two machines by these ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from actors.jobs.records import JobRequest, Phase
from actors.providers.local import LocalOptions, LocalProvider

STAMP = ("date", "+%s%N")
ENDED = {Phase.SUCCEEDED, Phase.FAILED}
Figures = dict[str, dict[str, float]]


def summary(samples: Sequence[float]) -> dict[str, float]:
    """p50 and p99 of seconds, in milliseconds."""
    ordered = sorted(samples)
    return {
        "p50_ms": round(statistics.median(ordered) * 1e3, 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3, 2),
    }


def bare(jobs: int) -> Figures:
    """The same programs as plain subprocesses."""
    starts, trips = [], []
    for _ in range(jobs):
        begun = time.time_ns()
        starts.append((int(subprocess.run(STAMP, check=True, capture_output=True).stdout) - begun) / 1e9)
        began = time.perf_counter()
        subprocess.run(["true"], check=True)
        trips.append(time.perf_counter() - began)
    return {"start": summary(starts), "round trip": summary(trips)}


class Bench:
    """A provider with its watch running."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.provider = LocalProvider(LocalOptions(gpus=0), root)
        self._ends: dict[str, trio.Event] = {}

    def nudge(self, key: str) -> None:
        """Called by the watch: this job may have changed."""
        if key in self._ends:
            self._ends[key].set()

    async def run(self, key: str, command: tuple[str, ...]) -> tuple[float, float]:
        """Run one job: seconds until ``submit`` returned, and until the end was observed."""
        began = time.perf_counter()
        self._ends[key] = trio.Event()
        submitted = await self.provider.submit(key, key, self.provider.prepare(JobRequest(command=command)), {})
        answered = time.perf_counter() - began
        while True:
            await self._ends[key].wait()
            self._ends[key] = trio.Event()
            view = await self.provider.observe_many({key: submitted.handle})
            if view.observations[key].phase in ENDED:
                return answered, time.perf_counter() - began

    async def memory(self) -> dict[str, float]:
        """Resident and private memory of one waiting shim, in MiB."""
        submitted = await self.provider.submit(
            "waiting", "waiting", self.provider.prepare(JobRequest(command=("sleep", "600"))), {}
        )
        run = self.root / "jobs" / "waiting" / "run.json"
        while not await trio.Path(run).exists():  # noqa: ASYNC110 - another process writes it
            await trio.sleep(0.01)
        pid = json.loads(await trio.Path(run).read_text())["shim"]
        status = await trio.Path(f"/proc/{pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        await self.provider.cancel("waiting", submitted.handle)
        return {name: round(int(lines[name].split()[0]) / 1024, 1) for name in ("VmRSS", "RssAnon")}


async def measure(jobs: int, root: Path) -> Figures:
    """All figures of the provider."""
    bench = Bench(root)
    starts, answers, trips = [], [], []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.provider.watch, bench.nudge)
        await bench.run("warm", ("true",))
        for number in range(jobs):
            begun = time.time_ns()
            answer, _ = await bench.run(f"stamp-{number}", STAMP)
            text = await trio.Path(root / "jobs" / f"stamp-{number}" / "log").read_text()
            starts.append((int(text) - begun) / 1e9)
            answers.append(answer)
            trips.append((await bench.run(f"true-{number}", ("true",)))[1])
        memory = await bench.memory()
        began = time.perf_counter()
        async with trio.open_nursery() as slots:
            for slot in range(2):
                slots.start_soon(_slot, bench, slot, jobs // 2)
        rate = jobs // 2 * 2 / (time.perf_counter() - began) * 60
        nursery.cancel_scope.cancel()
    await bench.provider.aclose()
    return {
        "start": summary(starts),
        "answer": summary(answers),
        "round trip": summary(trips),
        "shim MiB": memory,
        "two slots": {"jobs_per_minute": round(rate)},
    }


async def _slot(bench: Bench, slot: int, jobs: int) -> None:
    for number in range(jobs):
        await bench.run(f"slot-{slot}-{number}", ("true",))


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = bare(arguments.jobs)
        local = trio.run(measure, arguments.jobs, Path(folder))
    ratio = {name: round(local[name]["p50_ms"] / plain[name]["p50_ms"], 1) for name in plain}
    if arguments.json:
        print(json.dumps({"local": local, "bare": plain, "ratio": ratio}))
        return
    for name, figures in local.items():
        print(f"{name:12}", "  ".join(f"{label} {figure:g}" for label, figure in figures.items()), end="")
        print(f"   bare: p50_ms {plain[name]['p50_ms']:g} (x{ratio[name]:g})" if name in plain else "")


if __name__ == "__main__":
    main()
