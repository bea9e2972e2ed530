"""What it costs to write a job's output to its log: the drainer's CPU per megabyte, and its memory.

    python benchmarks/bench_log_pipe.py [--rounds 5] [--json]

The baseline is ``cat > file``, the least that a process between a program and a file can do, with the same programs:
``dd`` with pieces of 64 KiB, and ``stdbuf -oL seq``, which writes each short line separately. The memory is that of a
real job's drainer, and of its shim. The drainer is a fork, so shared memory is counted once, by the proportional set
size.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trio
from common import Figure, arguments, below, ratio, report

from actors.jobs.records import JobRequest
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.local.directory import JobDirectory, read_record
from actors.providers.local.shim.log_pipe import serve

WRITERS = {
    "pieces of 64 KiB": (("dd", "if=/dev/zero", "bs=64k", "count=1600", "status=none"), 100.0),
    "lines of 8 bytes": (("stdbuf", "-oL", "seq", "1000000", "1262144"), 2.0),
}


def drained(path: Path, source: int) -> int:
    """Start the drainer on a pipe, as a shim forks it."""
    pid = os.fork()
    if pid == 0:
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        serve(source, None)
    return pid


def catted(path: Path, source: int) -> int:
    """Start ``cat`` instead."""
    with path.open("wb") as file:
        return subprocess.Popen(["cat"], stdin=source, stdout=file).pid


def cpu(start: Callable[[Path, int], int], path: Path, writer: Sequence[str]) -> tuple[float, float]:
    """CPU seconds of the process that empties the pipe, and seconds until all is in the file."""
    source, sink = os.pipe()
    began = time.perf_counter()
    pid = start(path, source)
    os.close(source)
    with os.fdopen(sink, "wb") as output:
        writing = subprocess.Popen(writer, stdout=output)
    _, _, usage = os.wait4(pid, 0)
    taken = time.perf_counter() - began
    writing.wait()
    return usage.ru_utime + usage.ru_stime, taken


def throughput(rounds: int, path: Path) -> list[Figure]:
    """CPU and elapsed time per megabyte, for each writer."""
    figures = []
    for name, (writer, megabytes) in WRITERS.items():
        ours, baseline = [], []
        for number in range(rounds):
            pair = ((ours, drained), (baseline, catted))
            for taken, start in pair if number % 2 == 0 else reversed(pair):
                taken.append(cpu(start, path, writer))
        for place, what in enumerate(("CPU", "time")):
            mine, other = ([one[place] / megabytes * 1e3 for one in side] for side in (ours, baseline))
            beside = f"cat > file, {statistics.median(other):.2f} ms"
            figures.append(
                Figure(f"{name}, {what} a MB", statistics.median(mine), "ms", beside, ratio(mine, other))
            )  # fmt: skip
    return figures


async def memory(root: Path) -> list[Figure]:
    """Memory of a waiting job's shim and drainer, in MiB."""
    provider = LocalProvider(LocalOptions(gpus=0), root)
    prepared = provider.prepare(JobRequest(command=("sh", "-c", "echo; touch ready; sleep 600")))
    submitted = await provider.submit("waiting", "waiting", prepared, {})
    directory = JobDirectory.of(root / "jobs", "waiting")
    while not await trio.Path(directory.work / "ready").exists():  # noqa: ASYNC110 - another process writes it
        await trio.sleep(0.01)
    run = read_record(directory.run) or {}
    listed = (await trio.Path(f"/proc/{run['shim']}/task/{run['shim']}/children").read_text()).split()
    figures = []
    for name, pid in (("shim", run["shim"]), ("drainer", next(int(one) for one in listed if int(one) != run["child"]))):
        text = await trio.Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in text.splitlines()[1:]}
        own = sizes["Private_Clean"] + sizes["Private_Dirty"]
        note = f"resident {sizes['Rss']:.1f} MiB, its own {own:.1f} MiB"
        figures.append(Figure(f"{name}, proportional memory", sizes["Pss"], "MiB", note=note))
    figures[-1] = below(figures[-1], 5)
    await provider.cancel("waiting", submitted.handle)
    await provider.aclose()
    return figures


def main() -> None:
    """Measure, and print a table or one JSON object."""
    given = arguments(__doc__, rounds=(5, "rounds of each"))
    with tempfile.TemporaryDirectory() as folder:
        figures = [*throughput(given.rounds, Path(folder, "log")), *trio.run(memory, Path(folder, "local"))]
    report(figures, as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
