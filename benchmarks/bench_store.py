"""Submissions per second: one at a time, from many at once, and a thousand in one batch; acknowledged when on disk.

    python benchmarks/bench_store.py [--rounds 30] [--json]

A submission is a checked request that became a job, a queue entry, its lane and an event, committed by a running
supervisor (a limit of 0 keeps the jobs waiting; the scheduler checks the queue after each commit as usual). It is
compared, in the same rounds, with a bare commit of one row to the same file under the same pragmas, and with a task
put into huey's SqliteHuey with ``fsync``, which writes one row without interpreting it. ``no thread`` is the same
submission with the store's work done in the event loop; it shows the cost of the hand-over to the writer's thread.
"""

from __future__ import annotations

import functools
import sqlite3
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from common import Contender, Figure, arguments, below, in_turn, ratio, report

from actors.jobs.options import Limits
from actors.jobs.records import JobRequest
from actors.providers.scripted import ScriptedProvider
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.settings import Settings
from actors.store import InlineExecutor
from actors.store.state_directory import DATABASE

ALONE = 20
"""Submissions, commits or tasks in a round, one after the other."""
CROWD = 100
"""Submitters at once."""
BATCH = 1_000
BATCHES = 7


def request(number: int = 0) -> JobRequest:
    """A job of a sweep."""
    command = ("python", "train.py", f"--seed={number}")
    return JobRequest(provider="scripted", command=command, user_id=f"user-{number % 10}", org_id="lab")


@asynccontextmanager
async def supervisor(folder: Path, parts: Parts) -> AsyncIterator[RunningRuntime]:
    """A running supervisor with its own file, and a limit at which no job runs."""
    settings = Settings.default(state_dir=folder, environ={})
    settings = attrs.evolve(settings, limits=Limits(total=0), providers={})
    async with open_runtime(settings, parts) as runtime:
        yield runtime


async def one_by_one(runtime: RunningRuntime) -> None:
    """A round of single submissions."""
    for number in range(ALONE):
        await runtime.submit(request(number))


async def crowd(runtime: RunningRuntime) -> None:
    """Many submitters at once, one job each."""
    async with trio.open_nursery() as nursery:
        for number in range(CROWD):
            nursery.start_soon(runtime.submit, request(number))


async def batch(runtime: RunningRuntime) -> None:
    """A thousand in one transaction."""
    await runtime.jobs.submit_many([request(number) for number in range(BATCH)])


def bare_commits(path: Path) -> Callable[[], None]:
    """The baseline: one row per commit, in the supervisor's file."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("PRAGMA synchronous=FULL")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.execute("CREATE TABLE bench (id INTEGER PRIMARY KEY, data TEXT)")

    def commits() -> None:
        for _ in range(ALONE):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO bench (data) VALUES ('one row')")
            connection.execute("COMMIT")

    return commits


def huey_tasks(path: Path) -> Callable[[], None] | None:
    """The peer, if it is installed."""
    try:
        from huey import SqliteHuey  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return None
    queue = SqliteHuey("bench", filename=str(path), fsync=True, results=False)

    @queue.task()  # type: ignore[untyped-decorator, unused-ignore]
    def train(*command: str, user_id: str, org_id: str) -> None:
        """Not run here."""

    def tasks() -> None:
        for number in range(ALONE):
            train("python", "train.py", f"--seed={number}", user_id="user", org_id="lab")

    return tasks


def figures(taken: dict[str, list[float]], batches: list[float]) -> list[Figure]:
    """Rates, and the time of a submission as a multiple of a bare commit or huey task."""

    def rate(name: str, label: str, number: int, beside: str = "") -> Figure:
        per_second = number / statistics.median(taken[name])
        line = Figure(label, per_second, "/s")
        if not beside:
            return line
        worth = ratio(taken[name], taken[beside]) * ALONE / number
        return attrs.evolve(line, beside=f"the time of {BESIDE[beside]}", ratio=worth)

    peers = [name for name in BESIDE if name in taken]
    found = [rate("bare", "bare commit of one row", ALONE)]
    if "huey" in taken:
        found.append(rate("huey", "huey, one task", ALONE, "bare"))
    found += [rate("single", "submit, one at a time", ALONE, peer) for peer in peers]
    found.append(rate("inline", "submit, no thread", ALONE, "bare"))
    found += [rate("crowd", f"submit, {CROWD} at once", CROWD, peer) for peer in peers]
    seconds = statistics.median(batches)
    found.append(Figure(f"submit_many of {BATCH}", BATCH / seconds, "/s", note=f"best {BATCH / min(batches):.0f}"))
    found.append(below(Figure(f"one batch of {BATCH}", seconds, "s", note=f"best {min(batches):.3f}"), 0.5))
    return found


BESIDE = {"bare": "a bare commit", "huey": "a huey task"}


async def measure(rounds: int, folder: Path) -> list[Figure]:
    """All measurements, in one run."""
    threaded = Parts(providers=[ScriptedProvider()])
    inline = Parts(providers=[ScriptedProvider()], executor=InlineExecutor())
    async with supervisor(folder / "a", threaded) as runtime, supervisor(folder / "b", inline) as unthreaded:
        contenders: dict[str, Contender] = {
            "bare": bare_commits(folder / "a" / DATABASE),
            "single": functools.partial(one_by_one, runtime),
            "crowd": functools.partial(crowd, runtime),
            "inline": functools.partial(one_by_one, unthreaded),
        }
        tasks = huey_tasks(folder / "huey.db")
        if tasks is not None:
            contenders["huey"] = tasks
        await in_turn(2, contenders)
        taken = await in_turn(rounds, contenders)
        batches = (await in_turn(BATCHES, {"batch": functools.partial(batch, runtime)}))["batch"]
    return figures(taken, batches)


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=(30, "rounds of single submissions"))
    with tempfile.TemporaryDirectory() as folder:
        found = trio.run(measure, options.rounds, Path(folder))
    report(found, as_json=options.json)


if __name__ == "__main__":
    main()
