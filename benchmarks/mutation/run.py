"""``make mutants``: does anybody notice when the code is changed a little? Unit tests first, then the simulation.

Draws mutants by a seed, which is printed, and tries each: with the tests that execute its line, where record.py has
noted them, then with the worlds that do. Results are kept by the content of the changed file, so that an interrupted
run goes on and a rerun costs only what changed (the tests are not part of that: ``--survivors`` tries again what nobody
noticed, ``--kept /dev/null`` everything). The figures come with their confidence interval (Wilson, 95 %).
"""

from __future__ import annotations

import hashlib
import json
import math
import queue
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click

sys.path.insert(0, str(Path(__file__).resolve().parent))

from equivalent import reason_of
from generator import Mutant, mutants_of
from places import KEPT, PLACES, ROOT, SECONDS_OF_TESTS, Record, tests_of, worlds_of
from tries import Tries

SECONDS = 900.0
"""Of the clock, for one trial: more than any takes that ends. What takes longer is undecided, and in no figure."""


@attrs.frozen
class Result:
    """By what a mutant was noticed: ``tests``, ``simulation``, nothing ("") or ``undecided``, and how.

    ``equal``: nobody can notice it, since it behaves as before; ``how`` is the reason.
    """

    by: str
    how: str

    @property
    def killed(self) -> bool:
        """Whether it was noticed."""
        return self.by in ("tests", "simulation")


def drawn(places: Sequence[str], seed: int, number: int) -> list[Mutant]:
    """So many mutants of these files and folders, by the seed: the same ones after a change elsewhere."""
    files = [path for place in places for path in _files(ROOT / place)]
    drawn_by: list[tuple[bytes, Mutant]] = []
    for path in files:
        seen: Counter[str] = Counter()
        for mutant in mutants_of(path, ROOT):
            seen[mutant.text] += 1
            name = f"{seed} {mutant.file} {mutant.text} {seen[mutant.text]}"
            drawn_by.append((hashlib.sha256(name.encode()).digest(), mutant))
    return [mutant for _, mutant in sorted(drawn_by, key=lambda one: one[0])[:number]]


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def interval(killed: int, total: int) -> str:
    """``killed`` of ``total`` in per cent, with its 95 % confidence interval."""
    if not total:
        return "none tried"
    z, share = 1.96, killed / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{killed} of {total} noticed: {share:.0%} (95 %: {middle - half:.0%} to {middle + half:.0%})"


class Kept:
    """Results in a file, by the mutant's content and by what was tried. ``forget``: what nobody noticed."""

    def __init__(self, path: Path, *, forget: bool = False) -> None:
        self._path = path
        self._found = {key: one for key, one in self._read().items() if one["how"] is not None or not forget}

    def _read(self) -> dict[str, dict[str, str | None]]:
        return json.loads((self._path.read_text() if self._path.is_file() else "") or "{}")  # type: ignore[no-any-return]

    def get(self, mutant: Mutant, what: str) -> dict[str, str | None] | None:
        """What is known."""
        return self._found.get(f"{mutant.key} {what}")

    def put(self, mutant: Mutant, what: str, how: str | None) -> None:
        """Keep one more, beside what other runs have kept meanwhile: how it was noticed, or None."""
        key = f"{mutant.key} {what}"
        self._found[key] = {"how": how, "mutant": f"{mutant.file}:{mutant.line} {mutant.text}"}
        if self._path != Path("/dev/null"):
            self._path.parent.mkdir(exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps({**self._read(), key: self._found[key]}, indent=1))
            new.replace(self._path)


class Trier:
    """Tries mutants one after another, or says what is known of them."""

    def __init__(self, kept: Kept, worlds: int, test_seconds: float, seconds: float, end: float) -> None:
        self._kept = kept
        self._worlds = worlds
        self._test_seconds = test_seconds
        self._end = end
        self._tests, self._reached = (Record.read(*KEPT.glob(f"{what}*.json")) for what in ("tests", "worlds"))
        self.tries: queue.Queue[Tries] = queue.Queue()
        self._seconds = seconds

    def files(self, mutants: Sequence[Mutant]) -> list[str]:
        """The files and folders of all tests by which these are to be tried."""
        untried = [one for one in mutants if self._kept.get(one, "tests") is None and reason_of(one) is None]
        tests = {test.partition("::")[0] for one in untried for test in tests_of(one, self._tests, self._test_seconds)}
        return sorted(one for one in tests if (ROOT / one).exists())

    def result(self, mutant: Mutant, *, simulation_only: bool) -> Result | None:
        """None where there was no time left to try it."""
        if (reason := reason_of(mutant)) is not None:
            return Result("equal", reason)
        stages = [("tests", "tests"), ("simulation", f"worlds {self._worlds}")]
        for by, what in stages[simulation_only:]:
            if what == "worlds 0":
                continue
            try:
                how = self._noticed(mutant, what)
            except (TimeoutError, subprocess.TimeoutExpired):
                return (
                    Result("undecided", f"no end within {self._seconds:g} s") if time.monotonic() < self._end else None
                )
            if how is not None:
                return Result(by, how)
        return Result("", "")

    def _noticed(self, mutant: Mutant, what: str) -> str | None:
        if (known := self._kept.get(mutant, what)) is not None:
            return known["how"]
        if time.monotonic() >= self._end:
            raise TimeoutError
        request = (
            {"tests": tests_of(mutant, self._tests, self._test_seconds)}
            if what == "tests"
            else {"worlds": worlds_of(mutant, self._worlds, self._reached)}
        )
        if not any(request.values()):  # nobody executes it
            how = None
        else:
            tries = self.tries.get()
            try:
                how = tries.noticed(mutant, request, self._seconds)
            finally:
                self.tries.put(tries)
        self._kept.put(mutant, what, how)
        return how


@click.command()
@click.option("--seed", type=int, default=int(datetime.now(UTC).strftime("%Y%j")), help="Default: that of the day.")
@click.option("--number", type=int, default=300, show_default=True, help="Mutants to draw.")
@click.option("--only", type=click.Choice(PLACES), help="Of this place alone.")
@click.option("--worlds", type=int, default=30, show_default=True, help="Worlds for what the tests let pass.")
@click.option("--simulation-only", is_flag=True, help="Without the unit tests.")
@click.option("--test-seconds", type=float, default=SECONDS_OF_TESTS, show_default=True, help="Of tests, at most.")
@click.option("--survivors", is_flag=True, help="Try again what nobody noticed.")
@click.option("--minutes", type=float, default=math.inf, help="Begin no more of them after so long.")
@click.option("--seconds", type=float, default=SECONDS, show_default=True, help="For one trial at the most.")
@click.option("--workers", type=int, default=1, show_default=True)
@click.option("--kept", type=click.Path(path_type=Path), default=KEPT / "results.json", help="Results of before.")
def main(
    seed: int, number: int, only: str | None, worlds: int, simulation_only: bool, survivors: bool, test_seconds: float,
    minutes: float, seconds: float, workers: int, kept: Path,
) -> None:  # fmt: skip
    """Try mutants."""
    click.echo(f"seed {seed}")
    mutants = drawn([only] if only else PLACES, seed, number)
    trier = Trier(Kept(kept, forget=survivors), worlds, test_seconds, seconds, time.monotonic() + 60 * minutes)
    results = list[tuple[Mutant, Result]]()

    def one(mutant: Mutant) -> tuple[Mutant, Result | None]:
        return mutant, trier.result(mutant, simulation_only=simulation_only)

    files = [] if simulation_only else trier.files(mutants)
    servers = [Tries(*files) for _ in range(workers)]
    for server in servers:
        trier.tries.put(server)
    with ThreadPoolExecutor(workers) as pool:
        for mutant, result in pool.map(one, mutants):
            if result is not None:
                results.append((mutant, result))
                click.echo(
                    f"{result.by or 'SURVIVES':10} {mutant.file}:{mutant.line} {mutant.text[:90]} | {result.how}"
                )
    for server in servers:
        server.close()
    click.echo("\n".join(_summary(results, number)))


def _summary(results: Sequence[tuple[Mutant, Result]], number: int) -> Iterator[str]:
    counted = {
        by: sum(result.by == by for _, result in results) for by in ("undecided", "equal", "tests", "simulation")
    }
    decided = [(mutant, result) for mutant, result in results if result.by not in ("undecided", "equal")]
    yield f"{len(results)} of {number} drawn were tried, {counted['undecided']} are undecided"
    if results:
        yield f"{counted['equal']} are equal in behaviour ({counted['equal'] / len(results):.1%}); of the others:"
    yield interval(sum(result.killed for _, result in decided), len(decided))
    yield f"  {counted['tests']} by tests, {counted['simulation']} by the simulation"
    for name, of in (("kind", lambda one: one.kind), ("place", _place)):
        for value in sorted({of(mutant) for mutant, _ in decided}):
            there = [result.killed for mutant, result in decided if of(mutant) == value]
            yield f"  {name} {value}: {interval(sum(there), len(there))}"


def _place(mutant: Mutant) -> str:
    return next(place for place in PLACES if mutant.file.startswith(place))


if __name__ == "__main__":
    main()
