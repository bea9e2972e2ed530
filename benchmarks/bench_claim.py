"""The scheduler's decision with the store: read from a real SQLite file and decided; nothing is written.

    python benchmarks/bench_claim.py [--rounds 60] [--json]

The baseline is the least that the decision has to read: the rows of ``lanes``, with the bare driver on the same
connection. ``first look``: no lane was seen before; a running scheduler has seen all but those that changed. ``whole
pass``: everything that a periodic pass does if nothing may run, back-offs and providers' gates included. "By entries"
compares files of 100,000 and of 1,000 entries. ``full`` is the answer under a reached global limit, with the number of
its statements that read a lane. Times are CPU times of the thread: a decision waits for nothing, and other programs
must not count. ``bench_decision.py`` measures the pure half.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import trio
from common import Contender, Figure, arguments, in_turn, ratio, report
from sqlalchemy import Connection

from actors.jobs.options import Limits
from actors.jobs.records import Capacity, QueueEntry, QueueStatus
from actors.ledger.dispatch import claim, decide_now
from actors.store import InlineExecutor, Store, Transaction, lanes, queue
from actors.store.dialect import open_engine

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CAPACITIES = {"local": Capacity(cpus=10**6)}
ALL_WAIT = Limits(total=10**6, per_user=0)  # every lane is checked and none runs: the longest possible pass
FULL = Limits(total=20)
RUNNING = 20


def entry(number: int, lanes: int) -> dict[str, object]:
    """A queue entry; every user has four lanes, by priority."""
    lane = number % lanes
    queued_at = NOW - timedelta(seconds=number * 7919 % 20_000)
    made = QueueEntry(f"job-{number:08}", QueueStatus.PENDING, lane % 4 * 10, None, queued_at, number)
    owner = {"user_id": f"user-{lane // 4}", "org_id": f"org-{lane % 7}", "team_id": "", "provider": "local"}
    return queue.to_row(made, {**owner, "cpus": 1, "gpus": 0, "memory": 0, "max_runtime": None})


async def fill(path: Path, lanes: int, entries: int) -> None:
    """A database with waiting entries and a few that run."""
    store = Store(path, executor=InlineExecutor(), now=lambda: NOW)
    await store.open()
    rows = [entry(number, lanes) for number in range(entries + RUNNING)]
    for row in rows[entries:]:
        row["status"] = QueueStatus.RUNNING.value
    await store.write(lambda transaction: queue.add(transaction.connection, rows))
    await store.aclose()


@attrs.frozen
class Bench:
    """One database under measurement."""

    connection: Connection

    def decision(self, limits: Limits = ALL_WAIT) -> str:
        """One decision; its summary."""
        return decide_now(self.connection, limits, CAPACITIES, NOW)[0].summary

    def first_look(self) -> None:
        """A decision with an empty cache of lanes."""
        lanes.forget()  # without this there is only one first look
        self.decision()

    def whole_pass(self) -> None:
        """What a periodic pass of the scheduler does in its transaction."""
        claim(Transaction(self.connection, NOW), CAPACITIES, {}, limits=ALL_WAIT, token=lambda: "token")

    def bare_rows(self) -> list[object]:
        """The baseline."""
        driver = self.connection.connection.driver_connection
        assert driver is not None
        found: list[object] = driver.execute("SELECT * FROM lanes").fetchall()
        return found

    def statements(self, act: Callable[[], object]) -> list[str]:
        """The statements that ``act`` runs."""
        driver = self.connection.connection.driver_connection
        assert driver is not None
        asked: list[str] = []
        driver.set_trace_callback(asked.append)
        act()
        driver.set_trace_callback(None)
        return asked


@contextmanager
def opened(path: Path) -> Iterator[Bench]:
    """A database inside one read transaction, so that nothing but the pass is measured."""
    engine = open_engine(path)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        yield Bench(connection)
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


def by_lanes(bench: Bench, lanes: int, bound: float, rounds: int) -> list[Figure]:
    """The decision over this number of lanes, compared with the bare rows."""
    contenders: dict[str, Contender] = {
        "bare": bench.bare_rows,
        "decision": bench.decision,
        "whole pass": bench.whole_pass,
        "first look": bench.first_look,
    }
    taken = trio.run(in_turn, rounds, contenders, time.thread_time)
    figures = []
    for name in ("decision", "first look", "whole pass"):
        figure = Figure(f"{name}, {lanes} lanes", statistics.median(taken[name]) * 1e3, "ms")
        figure = attrs.evolve(
            figure, beside="the bare rows", ratio=ratio(taken[name], taken["bare"]),
            note=f"best {min(taken[name]) * 1e3:.2f}",
        )  # fmt: skip
        figures.append(figure)
    least = "<= 2 x" if lanes == 50 else f"< {bound:g} ms"
    met = (figures[0].ratio or 0) <= 2 if lanes == 50 else figures[0].value < bound
    return [attrs.evolve(figures[0], target=least, met=met), *figures[1:]]


def by_entries(few: Bench, many: Bench, rounds: int) -> list[Figure]:
    """100,000 entries compared with 1,000, for the decision, a pass and a full limit."""
    acts: dict[str, Callable[[Bench], object]] = {
        "decision": Bench.decision,
        "whole pass": Bench.whole_pass,
        "full": lambda bench: bench.decision(FULL),
    }
    figures = []
    for name, act in acts.items():
        taken = trio.run(
            in_turn,
            rounds,
            {"many": functools.partial(act, many), "few": functools.partial(act, few)},
            time.thread_time,
        )
        grown = ratio(taken["many"], taken["few"])
        value = statistics.median(taken["many"]) * 1e3
        figures.append(
            Figure(f"{name}, 100,000 entries", value, "ms", "1,000 entries", grown, "ratio ~ 1", 0.75 < grown < 1.33)
        )
    asked = many.statements(lambda: many.decision(FULL))
    read = sum("FROM lanes" in one for one in asked)
    figures[-1] = attrs.evolve(figures[-1], note=f"{len(asked)} statements, {read} read a lane")
    return figures


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=(60, "rounds for each comparison"))
    files = {"50": (50, 1_000), "1000": (1_000, 1_000), "many": (50, 100_000)}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for name, (lanes, entries) in files.items():
            trio.run(fill, Path(folder) / name, lanes, entries)
        benches = {name: stack.enter_context(opened(Path(folder) / name)) for name in files}
        figures = by_lanes(benches["50"], 50, 1.0, options.rounds * 5)
        figures += by_lanes(benches["1000"], 1_000, 5.0, options.rounds)
        figures += by_entries(benches["50"], benches["many"], options.rounds * 2)
    report(figures, as_json=options.json)


if __name__ == "__main__":
    main()
