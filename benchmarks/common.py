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
    required bound as text; ``met``: whether it is kept.
    """

    name: str
    value: float
    unit: str
    beside: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""


def below(figure: Figure, bound: float) -> Figure:
    """``figure`` with the target that its value is less than ``bound``."""
    return attrs.evolve(figure, target=f"< {bound:g} {figure.unit}", met=figure.value < bound)


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
    """Python, cores and load: targets in seconds only count on a machine with an idle core."""
    load = round(os.getloadavg()[0], 1)
    return {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}


def report(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the table, or one JSON object."""
    if as_json:
        print(json.dumps({"machine": machine(), "figures": [attrs.asdict(one) for one in figures]}, indent=2))
        return
    width = max(len(one.name) for one in figures)
    for one in figures:
        verdict = "" if one.met is None else "  ok" if one.met else "  MISSED"
        beside = f"x {one.ratio:.2f} of {one.beside}" if one.ratio is not None else one.beside
        target = f"target {one.target}{verdict}" if one.target else ""
        line = f"{one.name:{width}}  {one.value:>10.3f} {one.unit:<4}  {beside:<36}  {target:<24}  {one.note}"
        print(line.rstrip())
    where = machine()
    print(f"\nPython {where['python']}, {where['cores']} cores, load average {where['load']}")
