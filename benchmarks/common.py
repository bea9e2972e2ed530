"""Shared by the benchmarks: contenders measured in turn, ratios within a round, one table, one JSON object.

The machine may be busy. So everything is compared with a baseline or a peer in the same run, round by round in turn,
by the median of the rounds' ratios: a slow moment affects both sides of a ratio alike.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import json
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import attrs

Contender = Callable[[], object] | Callable[[], Awaitable[object]]


@attrs.frozen
class Figure:
    """One line of a report.

    ``value`` in ``unit``; ``beside`` names the baseline or peer, ``ratio`` is our value divided by its. ``target``: the
    required bound as text; ``met``: whether it is kept. ``conditions``, where jobs run: the way in (embedded, socket,
    TCP), the provider and the limits.
    """

    name: str
    value: float
    unit: str
    beside: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""
    conditions: str = ""


def below(figure: Figure, bound: float) -> Figure:
    """``figure`` with the target that its value is less than ``bound``."""
    return attrs.evolve(figure, target=f"< {bound:g} {figure.unit}", met=figure.value < bound)


def at_most(figure: Figure, bound: float) -> Figure:
    """``figure`` with the target that its ratio does not exceed ``bound``."""
    met = None if figure.ratio is None else figure.ratio <= bound
    return attrs.evolve(figure, target=f"<= {bound:g} x", met=met)


def at_least(figure: Figure, bound: float) -> Figure:
    """``figure`` with the target that its ratio reaches ``bound`` (its value, where there is no ratio)."""
    reached, unit = (figure.value, figure.unit) if figure.ratio is None else (figure.ratio, "x")
    return attrs.evolve(figure, target=f">= {bound:g} {unit}", met=reached >= bound)


async def in_turn(
    rounds: int, contenders: Mapping[str, Contender], clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each contender in each round; the order changes from round to round."""
    names = list(contenders)
    taken: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            start = clock()
            result = contenders[name]()
            if inspect.isawaitable(result):
                await result
            taken[name].append(clock() - start)
    return taken


def ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """The median of the ratios within each round."""
    return statistics.median(mine / other for mine, other in zip(ours, baseline, strict=True))


def percentile(samples: Sequence[float], percent: float) -> float:
    """The percentile: the sample that ``percent`` of them do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def arguments(description: str | None, **numbers: tuple[int, str]) -> argparse.Namespace:
    """Parse ``--json`` and integer options, each with a default and a help text."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    for name, (default, text) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} ({default})")
    return parser.parse_args()


def commit_cost(folder: Path, commits: int = 200) -> float:
    """Median seconds of a commit of one row to a SQLite file in ``folder``, synced to the disk as by the store."""
    connection = sqlite3.connect(folder / "commits.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS bench (id INTEGER PRIMARY KEY, data TEXT)")
    taken = []
    for _ in range(commits):
        start = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bench (data) VALUES ('one row')")
        connection.execute("COMMIT")
        taken.append(time.perf_counter() - start)
    connection.close()
    return statistics.median(taken)


def environment(home: Path) -> dict[str, str]:
    """The environment of a process with its state in ``home``, and none of this user's settings.

    All such processes share a folder for bytecode: where the environment forbids to write it, ours would be compiled at
    each start, and a library's, which its installation has written, would not.
    """
    ours = ("GREENROOM", "SIMPLETUNER", "PYTHONDONTWRITEBYTECODE")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    bytecode = Path(tempfile.gettempdir()) / f"greenroom-bytecode-{os.getuid()}"
    return plain | {
        "GREENROOM_HOME": str(home), "HOME": str(home), "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "PYTHONPYCACHEPREFIX": str(bytecode),
    }  # fmt: skip


def machine() -> dict[str, object]:
    """Python, cores, load and the cost of a commit: targets in seconds only count on a machine with an idle core."""
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory() as folder:
        commit = round(commit_cost(Path(folder)) * 1e3, 3)
    return {"python": platform.python_version(), "cores": os.cpu_count(), "load": load, "commit_ms": commit}


def line_of(figure: Figure) -> tuple[str, ...]:
    """The cells of a figure's line: name, value, peer, target, note."""
    verdict = "" if figure.met is None else " ok" if figure.met else " MISSED"
    beside = figure.beside if figure.ratio is None else f"{figure.ratio:.2f} x {figure.beside}".rstrip()
    target = f"{figure.target}{verdict}" if figure.target else ""
    note = "; ".join(part for part in (figure.conditions, figure.note) if part)
    return figure.name, f"{figure.value:,.3f} {figure.unit}".rstrip(), beside, target, note


def report(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the table, or one JSON object."""
    where = machine()
    if as_json:
        print(json.dumps({"machine": where, "figures": [attrs.asdict(one) for one in figures]}, indent=2))
        return
    lines = [line_of(one) for one in figures]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    print(f"\nPython {where['python']}, {where['cores']} cores, load average {where['load']}, ", end="")
    print(f"a bare commit takes {where['commit_ms']} ms")
