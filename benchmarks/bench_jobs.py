"""The way of a job from queued to ended, with a provider whose jobs end at once; and memory over many jobs.

    python benchmarks/bench_jobs.py [--jobs 600] [--many 5000] [--memory 3000] [--rounds 3] [--json]

Each run is a process of its own, embedded (``open_runtime``), with a real SQLite file and the ``scripted`` provider.
Jobs of ten users are submitted while the queue is paused; measured is from the moment at which it is resumed until the
last of ``--jobs`` has ended, under the default limits (5 in all, 2 for a user). Its CPU is that of the whole process.
Variants: ``--many`` jobs wait (100,000 take a minute to submit; the first ``--jobs`` of them are measured); 1,000 users
and a global limit of 200; and with three readers of server-sent events, a client that reads ``/api/jobs``,
``/api/queue`` and ``/health`` every two seconds as the dashboard does, and the log in a file. The baselines, in the
same rounds: a bare commit of one row in the same file system, and a no-op task put into huey's SqliteHuey with
``fsync`` and run by it. ``memory``: resident memory at tenths of ``--memory`` jobs, submitted 100 at a time.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
from common import Figure, arguments, below, commit_cost, ratio, report

RUNS = Path(__file__).with_name("job_runs.py")
COMMITS = 200
"""Bare commits or huey tasks of a round."""
USUAL = {"users": 10, "total": 5}
CROWD = {"users": 1_000, "total": 200}
REFRESH = 2.0
"""Seconds between two refreshes of the dashboard."""
PAGES = ("/api/jobs?limit=50", "/api/queue", "/health")


def child(kind: str, *, watched: bool = False, **options: Any) -> dict[str, Any]:
    """One run in a fresh process and a fresh directory; ``watched``: with readers while it is measured."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        given = {"where": folder, **options, **({"watched": True} if watched else {})}
        words = [sys.executable, str(RUNS), kind, json.dumps(given)]
        process = stack.enter_context(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        stack.callback(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        if watched:
            path, over = process.stdout.readline().strip(), threading.Event()
            watchers: list[Callable[[str, threading.Event], None]] = [read_events] * 3 + [refresh_dashboard]
            threads = [threading.Thread(target=one, args=(path, over), daemon=True) for one in watchers]
            for thread in threads:
                thread.start()
            time.sleep(0.5)  # until all are connected
            process.stdin.write("\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if watched:
            over.set()
            for thread in threads:
                thread.join(5)
        if process.wait(60):
            raise SystemExit(f"{kind} ended with status {process.returncode}")
        found: dict[str, Any] = json.loads(line)
        return found


def read_events(path: str, over: threading.Event) -> None:
    """Read server-sent events and throw them away."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.settimeout(1)
        connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not over.is_set():
            try:
                if not connection.recv(1 << 20):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


def refresh_dashboard(path: str, over: threading.Event) -> None:
    """Ask what a dashboard shows, again and again."""
    while not over.wait(REFRESH):
        for page in PAGES:
            with socket.socket(socket.AF_UNIX) as connection:
                try:
                    connection.connect(path)
                    connection.sendall(f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                    while connection.recv(1 << 20):
                        pass
                except OSError:
                    return


def huey_tasks(folder: Path) -> Callable[[], float] | None:
    """Seconds of a no-op task in huey from queue to end, if it is installed."""
    try:
        from huey import SqliteHuey  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return None
    queue = SqliteHuey("bench", filename=str(folder / "huey.db"), fsync=True)

    @queue.task()  # type: ignore[untyped-decorator, unused-ignore]
    def nothing(*command: str, user_id: str) -> None:
        """Does nothing."""

    def tasks() -> float:
        for number in range(COMMITS):
            nothing("true", user_id=f"user-{number % 10}")
        start = time.perf_counter()
        for _ in range(COMMITS):
            queue.execute(queue.dequeue())
        return (time.perf_counter() - start) / COMMITS

    return tasks


# The report.


def end_to_end(options: Any, folder: Path) -> list[Figure]:
    """Rates of all variants, measured in turn, and their ratios."""
    jobs, many = options.jobs, max(options.many, options.jobs)
    variants: dict[str, dict[str, Any]] = {
        "usual": {**USUAL, "jobs": jobs, "waiting": jobs},
        "few": {**USUAL, "jobs": 100, "waiting": 100},
        "many": {**USUAL, "jobs": jobs, "waiting": many},
        "crowd": {**CROWD, "jobs": jobs, "waiting": max(jobs, 2 * CROWD["users"])},
        "watched": {**USUAL, "jobs": jobs, "waiting": jobs, "watched": True},
    }
    seconds: dict[str, list[float]] = {name: [] for name in (*variants, "commit", "huey")}
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    tasks = huey_tasks(folder)
    for _ in range(options.rounds):
        for name, variant in variants.items():
            found = child("jobs", **variant)
            seconds[name].append(found["seconds"])
            cpu[name].append(found["cpu"])
        seconds["commit"].append(commit_cost(folder, COMMITS))
        if tasks is not None:
            seconds["huey"].append(tasks())

    def beside(name: str, label: str, least: float) -> Figure:
        rate = 1 / statistics.median(seconds[name])
        share = 1 / ratio(seconds[name], seconds["usual"])
        note = f"CPU {statistics.median(cpu[name]) * 1e3:.2f} ms"
        return Figure(label, rate, "/s", "the usual rate", share, f">= {least:g} x", share >= least, note)

    ours, commit = seconds["usual"], statistics.median(seconds["commit"])
    rate = 1 / statistics.median(ours)
    end = Figure(f"jobs to their end, {jobs} wait", rate, "/s", note=f"best {1 / min(ours):.0f}")
    used = Figure(
        "CPU of a job", statistics.median(cpu["usual"]) * 1e3, "ms", note=f"best {min(cpu['usual']) * 1e3:.2f}"
    )
    bare, times = "the time of a bare commit", ratio(ours, seconds["commit"])
    figures = [
        Figure("bare commit of one row", commit * 1e3, "ms"),
        attrs.evolve(end, beside=bare, ratio=times, target=">= 850 /s", met=rate >= 850),
        below(used, 1.2),
        beside("few", "100 wait", 0.8),
        beside("many", f"{many} wait", 0.8),
        beside("crowd", "1,000 users, limit 200", 0.7),
        beside("watched", "3 SSE readers, dashboard, log", 0.6),
    ]
    if tasks is not None:
        line = Figure("huey, dequeue and run", 1 / statistics.median(seconds["huey"]), "/s", "our time beside it")
        figures.append(attrs.evolve(line, ratio=ratio(seconds["usual"], seconds["huey"])))
    return figures


def memory(jobs: int) -> list[Figure]:
    """Resident memory at the start, half way and at the end."""
    found = child("memory", jobs=jobs)["MB"]
    grown = found[-1] - found[5]
    shown = " ".join(f"{one:.0f}" for one in found)
    at_end = below(Figure(f"resident after {jobs} jobs", found[-1], "MB", note=shown), 110)
    plateau = below(Figure(f"grown in the last {jobs // 2}", grown, "MB"), 3.0)
    return [Figure("resident at the start", found[0], "MB"), at_end, plateau]


def main() -> None:
    """Measure and report."""
    options = arguments(
        __doc__, jobs=(600, "jobs that are measured"), many=(5_000, "jobs that wait in the variant with many"),
        memory=(3_000, "jobs over which memory is looked at; 0: not at all"), rounds=(2, "rounds; 0: none"),
    )  # fmt: skip
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        if options.rounds:
            figures += end_to_end(options, Path(folder))
    if options.memory:
        figures += memory(options.memory)
    report(figures, as_json=options.json)


if __name__ == "__main__":
    main()
