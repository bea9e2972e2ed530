"""Jobs that wait for others: what they cost everybody else, and how an end cascades.

    python benchmarks/bench_dependencies.py [--rounds 60] [--fan 10000] [--json]

``pass`` and ``decision`` are the scheduler's, over 50 lanes: with 100,000 jobs of ten users that wait for others beside
them, and without. ``waiting of a user`` is what each submission counts, for a user of whom 10,000 wait for others. The
times of these are CPU times of the thread. A fan is one job for which ten thousand wait, a chain are ten thousand of
which each waits for the one before: the first ends, and the scheduler's looks follow, each in a transaction. ``longest
look`` is what others wait for at the most, in CPU time; ``a commit meanwhile`` is a transaction of somebody else's
between two looks.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio
from bench_claim import CAPACITIES, NOW, Bench, fill, opened
from common import Figure, arguments, below, in_turn, ratio, report

from actors.jobs.dependencies import Parent
from actors.jobs.ids import IdFactory
from actors.jobs.lifecycle import Trigger
from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import JobRequest, JobStatus, QueueEntry, QueueStatus
from actors.ledger import NewJob
from actors.ledger.approvals import cancel
from actors.ledger.base import advance, load
from actors.ledger.dispatch import claim
from actors.ledger.submit import submit
from actors.store import InlineExecutor, Store, Transaction, dependencies, jobs, queue

HELD = 100_000
USERS = 10
NOTHING_RUNS = Limits(total=0)


async def hold(path: Path) -> None:
    """Add jobs of ten users that wait for others."""
    store = Store(path, executor=InlineExecutor(), now=lambda: NOW)
    await store.open()

    def write(tx: Transaction) -> None:
        rows = []
        for number in range(HELD):
            made = QueueEntry(f"held-{number:08}", QueueStatus.PENDING, 10, None, NOW, number, unfinished_parents=1)
            owner = {"user_id": f"user-{number % USERS}", "org_id": "", "team_id": "", "provider": "local"}
            owner |= {"cpus": 1, "gpus": 0, "memory": 0, "max_runtime": None}  # type: ignore[dict-item]
            rows.append(queue.to_row(made, owner))
        queue.add(tx.connection, rows)
        parent = Parent("job-00000000", None, JobStatus.PENDING)
        dependencies.add(tx.connection, [(row["job_id"], [parent]) for row in rows])

    await store.write(write)
    await store.aclose()


def beside(few: Bench, many: Bench, rounds: int) -> list[Figure]:
    """The scheduler's figures with and without jobs that wait for others."""
    acts: dict[str, Callable[[Bench], object]] = {
        "decision": Bench.decision,
        "whole pass": Bench.whole_pass,
        "waiting of a user": lambda bench: queue.number_waiting(bench.connection, "user-1"),
    }
    figures = []
    for name, act in acts.items():
        contenders: dict[str, Any] = {"many": partial(act, many), "few": partial(act, few)}
        taken = trio.run(in_turn, rounds, contenders, time.thread_time)
        grown = ratio(taken["many"], taken["few"])
        value = statistics.median(taken["many"]) * 1e3
        figure = Figure(f"{name}, 100,000 wait for others", value, "ms", "none does", grown)
        if name != "waiting of a user":
            figure = Figure(*_values(figure), target="ratio ~ 1", met=0.75 < grown < 1.33)
        figures.append(figure)
    return figures


def _values(figure: Figure) -> tuple[Any, ...]:
    return figure.name, figure.value, figure.unit, figure.beside, figure.ratio


class Cascade:
    """A database in which many wait for one, directly or one for the other."""

    def __init__(self, path: Path, number: int) -> None:
        self.store = Store(path, executor=InlineExecutor(), now=lambda: NOW)
        self._number = number
        self._ids = IdFactory()

    async def make(self, *, chain: bool) -> None:
        """Submit all in one request."""
        await self.store.open()
        made = []
        for index in range(self._number + 1):
            before = f"j{index - 1}" if chain else "j0"
            made.append(JobRequest(user_id="ana", config_name=f"j{index}", after=(before,) if index else ()))
        new = [NewJob(one, "c") for one in made]
        write = partial(
            submit, new=new, ids=self._ids, rules=(), options=ApprovalOptions(), most_waiting=2 * self._number
        )
        began = time.perf_counter()
        accepted = await self.store.write(write)
        self.submitted = time.perf_counter() - began
        self.first = accepted[0].job.job_id

    async def end(self, *, well: bool) -> tuple[list[float], list[float]]:
        """End the first, then look until nothing is left: seconds of each look, and of a commit between two."""
        if well:
            await self.store.write(self._complete)
        else:
            await self.store.write(lambda tx: cancel(tx, self.first, by="ana", level="admin"))
        looks, commits, left = [], [], True
        while left:
            began = time.thread_time()
            left = await self.store.write(_look)
            looks.append(time.thread_time() - began)
            began = time.perf_counter()
            await self.store.write(lambda tx: submit(
                tx, [NewJob(JobRequest(user_id="bo"), "c")], ids=self._ids, rules=(), options=ApprovalOptions(),
                most_waiting=10**6,
            ))  # fmt: skip
            commits.append(time.perf_counter() - began)
        return looks, commits

    def _complete(self, tx: Transaction) -> None:
        jobs.change(tx.connection, load(tx, self.first).job, tx.now, status=JobStatus.RUNNING)
        queue.change(tx.connection, self.first, status=QueueStatus.RUNNING)
        advance(tx, load(tx, self.first), Trigger.OBSERVE_COMPLETED)


def _look(tx: Transaction) -> bool:
    """A look of the scheduler while nothing may run; whether it left something to follow."""
    claim(tx, CAPACITIES, {}, limits=NOTHING_RUNS, token=lambda: "token")
    return queue.outlook(tx.connection).ended


async def cascade(folder: Path, number: int, name: str, *, chain: bool, well: bool) -> list[Figure]:
    """One cascade to its end."""
    bench = Cascade(folder / name.replace(" ", "-"), number)
    await bench.make(chain=chain)
    looks, commits = await bench.end(well=well)
    await bench.store.aclose()
    note = f"{len(looks)} looks; submitted in {bench.submitted:.1f} s"
    return [
        Figure(f"{name} of {number:,}, in all", sum(looks), "s", note=note),
        below(Figure(f"{name} of {number:,}, longest look", max(looks) * 1e3, "ms"), 100),
        Figure(f"{name} of {number:,}, a commit meanwhile", max(commits) * 1e3, "ms", note="the longest"),
    ]


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=(60, "rounds for each comparison"), fan=(10_000, "jobs of a cascade"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in ("few", "many"):
            trio.run(fill, folder / path, 50, 1_000)
        trio.run(hold, folder / "many")
        with opened(folder / "few") as few, opened(folder / "many") as many:
            figures = beside(few, many, options.rounds)
        for shape, chain, well in (("good fan", False, True), ("bad fan", False, False), ("bad chain", True, False)):
            figures += trio.run(partial(cascade, folder, options.fan, shape, chain=chain, well=well))
    report(figures, as_json=options.json)


if __name__ == "__main__":
    main()
