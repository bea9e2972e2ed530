"""``make mutants``: does anybody notice when the code is changed a little? Unit tests first, then the simulation.

Draws mutants by a seed, which is printed, and tries each in a process of its own. Results are kept by the content of
the changed file, so that an interrupted run goes on and a rerun costs only what changed (the tests are not part of
that: ``--kept /dev/null`` tries everything anew). The figures come with their confidence interval (Wilson, 95 %).
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generator import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("actors/jobs", "actors/ledger", "actors/scheduler.py", "actors/poller", "actors/expiry.py")
TRIAL = Path(__file__).with_name("trial.py")
TESTS = {
    "actors/scheduler.py": ("tests/kernel/test_ticking.py", "tests/ledger/test_races.py", "tests/ledger/test_verbs.py"),
    "actors/expiry.py": ("tests/ledger/test_approvals.py",),
}
"""Unit tests of what has none of its own name."""
SECONDS = 900.0
"""Of the clock, for one trial: more than any takes that ends. What takes longer is undecided, and in no figure."""


@attrs.frozen
class Result:
    """By what a mutant was noticed: ``tests``, ``simulation``, nothing ("") or ``undecided``, and how."""

    by: str
    how: str

    @property
    def killed(self) -> bool:
        """Whether it was."""
        return self.by in ("tests", "simulation")


def drawn(places: Sequence[str], seed: int, number: int) -> list[Mutant]:
    """So many mutants of these files and folders, by the seed alone."""
    files = [path for place in places for path in _files(ROOT / place)]
    everything = [mutant for path in files for mutant in mutants_of(path, ROOT)]
    draw = random.Random(seed)
    draw.shuffle(everything)
    return everything[:number]


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def unit_tests(file: str) -> list[str]:
    """The tests of a module: of its name, else those of its package."""
    if file in TESTS:
        return list(TESTS[file])
    path = Path(file)
    folder = ROOT / "tests" / path.parent.name
    own = sorted(folder.glob(f"test_{path.stem}*.py"))
    return [one.relative_to(ROOT).as_posix() for one in own or [folder]]


def tried(mutant: Mutant, worlds: int, seconds: float, *, simulation_only: bool) -> Result:
    """What became of it."""
    try:
        if not simulation_only and (how := _noticed(mutant, seconds, "tests", *unit_tests(mutant.file))) is not None:
            return Result("tests", how)
        if worlds and (how := _noticed(mutant, seconds, "worlds", "1", str(worlds))) is not None:
            return Result("simulation", how)
    except subprocess.TimeoutExpired:
        return Result("undecided", f"no end within {seconds:g} s")
    return Result("", "")


def _noticed(mutant: Mutant, seconds: float, *how: str) -> str | None:
    command = [sys.executable, str(TRIAL), mutant.file, str(mutant.number), *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode == 0:
        return None
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("FAILED", "ERROR", "world"))]
    return (said or (done.stdout + done.stderr).splitlines() or [f"exit status {done.returncode}"])[-1][:160]


def interval(killed: int, total: int) -> str:
    """``killed`` of ``total`` in per cent, with its 95 % confidence interval."""
    if not total:
        return "none tried"
    z, share = 1.96, killed / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{killed} of {total} noticed: {share:.0%} (95 %: {middle - half:.0%} to {middle + half:.0%})"


class Kept:
    """Results in a file, by the mutant's content and by what was tried."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text() if path.is_file() else ""
        self._found: dict[str, dict[str, str]] = json.loads(text or "{}")

    def get(self, key: str) -> Result | None:
        """What is known."""
        found = self._found.get(key)
        return None if found is None else Result(found["by"], found["how"])

    def put(self, key: str, mutant: Mutant, result: Result) -> None:
        """Keep one more."""
        self._found[key] = {**attrs.asdict(result), "mutant": f"{mutant.file}:{mutant.line} {mutant.text}"}
        if self._path != Path("/dev/null"):
            self._path.write_text(json.dumps(self._found, indent=1))


@click.command()
@click.option("--seed", type=int, default=int(datetime.now(UTC).strftime("%Y%j")), help="Default: that of the day.")
@click.option("--number", type=int, default=300, show_default=True, help="Mutants to draw.")
@click.option("--only", type=click.Choice(PLACES), help="Of this place alone.")
@click.option("--worlds", type=int, default=30, show_default=True, help="Worlds for what the tests let pass.")
@click.option("--simulation-only", is_flag=True, help="Without the unit tests.")
@click.option("--minutes", type=float, default=math.inf, help="Begin no more of them after so long.")
@click.option("--seconds", type=float, default=SECONDS, show_default=True, help="For one trial at the most.")
@click.option("--workers", type=int, default=1, show_default=True)
@click.option("--kept", type=click.Path(path_type=Path), default=ROOT / ".mutants.json", help="Results of before.")
def main(
    seed: int, number: int, only: str | None, worlds: int, simulation_only: bool, minutes: float, seconds: float,
    workers: int, kept: Path,
) -> None:  # fmt: skip
    """Try mutants."""
    click.echo(f"seed {seed}")
    mutants = drawn([only] if only else PLACES, seed, number)
    end, known, results = time.monotonic() + 60 * minutes, Kept(kept), list[tuple[Mutant, Result]]()

    def one(mutant: Mutant) -> tuple[Mutant, str, Result] | None:
        key = f"{mutant.key}{' simulation' if simulation_only else ''} {worlds}"
        found = known.get(key)
        if found is None and time.monotonic() >= end:
            return None
        return mutant, key, found or tried(mutant, worlds, seconds, simulation_only=simulation_only)

    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(one, mutants):
            if done is not None:
                mutant, key, result = done
                if result.by != "undecided":
                    known.put(key, mutant, result)
                results.append((mutant, result))
                click.echo(
                    f"{result.by or 'SURVIVES':10} {mutant.file}:{mutant.line} {mutant.text[:90]} | {result.how}"
                )
    click.echo("\n".join(_summary(results, number)))


def _summary(results: Sequence[tuple[Mutant, Result]], number: int) -> Iterator[str]:
    decided = [(mutant, result) for mutant, result in results if result.by != "undecided"]
    yield f"{len(results)} of {number} drawn were tried, {len(results) - len(decided)} are undecided"
    yield interval(sum(result.killed for _, result in decided), len(decided))
    for kind in sorted({mutant.kind for mutant, _ in decided}):
        there = [result.killed for mutant, result in decided if mutant.kind == kind]
        yield f"  {kind}: {interval(sum(there), len(there))}"


if __name__ == "__main__":
    main()
