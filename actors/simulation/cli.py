"""``python -m actors.simulation``: runs many seeds, several at once; exit status 1 if one failed.

What failed is shortened and shown; the rest is summed up.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import attrs
import click

from actors.jobs.quantities import HOUR, seconds_of
from actors.simulation.rules import MANY, NOT_ASKED, Rule, never_asked
from actors.simulation.running import Outcome, simulate
from actors.simulation.states import CHANGES, MAY_FOLLOW

# From a seed that fails to the shortest beginning of its script that still does, and the steps that matter.

Run = Callable[..., Outcome]


@attrs.frozen
class Shrunk:
    """The smallest failure that was found: its outcome, which steps it needs, and how many runs finding it took."""

    outcome: Outcome
    steps: int
    without: tuple[int, ...]
    runs: int

    @property
    def command(self) -> str:
        """What shows it again."""
        left_out = f" --without {written(self.without)}" if self.without else ""
        outcome = self.outcome
        world = f"--seeds {outcome.seed} --hours {outcome.hours:g}"
        return f"python -m actors.simulation {world} --steps {self.steps}{left_out}"


def written(numbers: Sequence[int]) -> str:
    """``0-3,7``: whole numbers in their order, as the command line takes them."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


class Shrinker:
    """Looks for less that breaks the same rule, in at most ``runs`` runs."""

    def __init__(self, failed: Outcome, *, runs: int = 60, run: Run = simulate) -> None:
        self._best = failed
        self._steps = failed.steps
        self._without: tuple[int, ...] = ()
        self._left = runs
        self._runs = runs
        self._run = run

    def shrink(self) -> Shrunk:
        """The shortest prefix first, then steps left out of it, in ever smaller pieces."""
        low, high = 0, self._steps
        if self._best.rule == Rule.NOTHING_CHECKED:  # is asked of whole scripts only
            return Shrunk(self._best, self._steps, (), 1)
        while low < high and self._left:
            middle = (low + high) // 2
            if self._fails(middle, ()):
                high = middle
            else:
                low = middle + 1
        size = self._steps // 2
        while size and self._left:
            for start in range(0, self._steps - 1, size):
                piece = range(start, min(start + size, self._steps - 1))
                if set(piece) - set(self._without):
                    self._fails(self._steps, {*self._without, *piece})
            size //= 2
        return Shrunk(self._best, self._steps, self._without, self._runs - self._left)

    def _fails(self, steps: int, without: Collection[int]) -> bool:
        if not self._left:
            return False
        self._left -= 1
        outcome = self._run(self._best.seed, self._best.hours, steps=steps, without=without)
        if outcome.rule != self._best.rule:
            return False
        self._best, self._steps = outcome, steps
        self._without = tuple(sorted(number for number in without if number < steps))
        return True


# The results of many seeds, as text.

_AROUND = 25
_WIDTH = 160


class Summary:
    """Counts outcomes as they come; keeps nothing of those that held."""

    def __init__(self) -> None:
        self.seeds = 0
        self.failed: list[Outcome] = []
        self.transitions: set[str] = set()
        self._numbers: Counter[str] = Counter()
        self._reached: Counter[str] = Counter()
        self._asked: Counter[Rule] = Counter()
        self._simulated = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more seed."""
        self.seeds += 1
        self._simulated += outcome.simulated
        self._reached += outcome.reached
        self._asked += outcome.asked
        self.transitions |= outcome.transitions
        self._numbers.update(jobs=outcome.jobs, events=outcome.events, processes=outcome.processes)
        if outcome.violation is not None:
            self.failed.append(outcome)

    @property
    def never_asked(self) -> list[Rule]:
        """Rules that no world asked, where there were so many worlds that each should have been."""
        return never_asked(self._asked) if self.seeds >= MANY else []

    def lines(self, took: float) -> Iterator[str]:
        """The summary; ``took`` is in real seconds."""
        hours = self._simulated / 3600
        numbers = self._numbers
        yield (
            f"{self.seeds} seeds, {hours:,.1f} simulated hours, {numbers['jobs']:,} jobs, "
            f"{numbers['events']:,} events, {numbers['processes']:,} processes"
        )
        yield f"{took:,.1f} s, {self._simulated / took:,.0f} times as fast as the clock, {len(self.failed)} failed"
        yield from self._group("disturbances", "step: ")
        yield from self._group("providers' faults", "fault: ")
        yield from self._group("settled by a person", "settled: ")
        yield from self._group("runs", "runs at ")
        yield from self._group("runs again", "again: ")
        yield from self._group("claims behind a reservation", "kept: ")
        yield "events: " + _listed({name: number for name, number in self._reached.items() if name in CHANGES})
        possible = sum(map(len, MAY_FOLLOW.values()))
        yield f"transitions: {len(self.transitions)} of {possible} were taken"

        yield "rules asked: " + _listed({rule: self._asked[rule] for rule in Rule if rule not in NOT_ASKED})
        if self.never_asked:
            yield f"{Rule.NOTHING_CHECKED}: never asked: {', '.join(self.never_asked)}"

    def _group(self, title: str, prefix: str) -> Iterator[str]:
        found = {name.removeprefix(prefix): n for name, n in self._reached.items() if name.startswith(prefix)}
        if found:
            yield f"{title}: {_listed(found)}"


def _listed(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(numbers.items()))


def failure(shrunk: Shrunk) -> Iterator[str]:
    """One failure: what broke, the trace up to it, and the command that shows it again."""
    outcome = shrunk.outcome
    left = f", {len(shrunk.without)} of them left out" if shrunk.without else ""
    yield f"seed {outcome.seed} fails: {outcome.violation}"
    yield f"the shortest beginning that fails has {shrunk.steps} steps{left} ({shrunk.runs} runs to find it):"
    broken = next((n for n, line in enumerate(outcome.lines) if " VIOLATION " in line), len(outcome.lines))
    yield from ("    " + line[:_WIDTH] for line in outcome.lines[max(broken - _AROUND, 0) : broken + 3])
    yield f"trace {outcome.digest}"
    yield f"again: {shrunk.command}"


_EVERY = 50


class Numbers(click.ParamType[tuple[int, ...]]):
    """``3``, ``1-100``, ``1-10,17``."""

    name = "numbers"

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers, in the order given."""
        if isinstance(value, tuple):
            return value
        found: list[int] = []
        for part in value.split(","):
            first, dash, last = part.partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                self.fail(f"{value!r} is not a list of whole numbers such as 1-100 or 3,17", param, ctx)
            found += range(int(first), int(last or first) + 1)
        return tuple(found)


class Hours(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions only
    """A duration above 0, in hours where a number stands alone."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The hours."""
        try:
            hours = seconds_of(value, HOUR) / HOUR if isinstance(value, str) else float(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return hours if hours > 0 else self.fail(f"must be above 0, not {value!r}", param, ctx)


@click.command()
@click.option("--seeds", type=Numbers(), default="1-10", show_default=True, help="Which worlds, such as 1-100 or 3,17.")
@click.option("--hours", type=Hours(), default=1.0, show_default=True,
              help="Simulated hours before the phase without faults, in which every job must end.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Seeds at once.")
@click.option("--steps", type=click.IntRange(min=0), help="Only so many steps of the script.")
@click.option("--without", type=Numbers(), default=(), help="Steps to leave out.")
@click.option("--trace", is_flag=True, help="Print everything that happened.")
@click.option("--keep-going", is_flag=True, help="Do not stop at the first seed that fails.")
def main(
    seeds: tuple[int, ...], hours: float, workers: int, steps: int | None, without: tuple[int, ...], trace: bool,
    keep_going: bool,
) -> None:  # fmt: skip
    """Run whole worlds from seeds, faults and all, and check every promise in them."""
    began = time.perf_counter()
    summary = Summary()
    with contextlib.suppress(KeyboardInterrupt):  # what was seen until then is summed up
        for outcome in outcomes(seeds, hours, workers, steps, without):
            summary.add(outcome)
            if trace:
                click.echo("\n".join(outcome.lines))
                click.echo(f"trace {outcome.digest}")
            if outcome.violation is not None:
                click.echo(f"seed {outcome.seed} fails: {outcome.violation}", err=True)
            _progress(summary.seeds, len(seeds), began)
            if summary.failed and not keep_going:
                break
    for failed in summary.failed:
        replayed = steps is not None or without
        shrunk = Shrunk(failed, failed.steps if steps is None else steps, without, 1) if replayed else None
        click.echo("\n".join(failure(shrunk or Shrinker(failed).shrink())))
    click.echo("\n".join(summary.lines(time.perf_counter() - began)))
    sys.exit(1 if summary.failed or summary.never_asked else 0)


def outcomes(
    seeds: Sequence[int], hours: float, workers: int = 1, steps: int | None = None, without: tuple[int, ...] = ()
) -> Iterator[Outcome]:
    """The outcome of each seed, in their order. Those that held come without their traces from other processes."""
    if workers == 1 or len(seeds) == 1:
        for seed in seeds:
            yield simulate(seed, hours, steps=steps, without=without)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_one, seed, hours, steps, without) for seed in seeds]
        try:
            for job in jobs:
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _one(seed: int, hours: float, steps: int | None, without: tuple[int, ...]) -> Outcome:
    outcome = simulate(seed, hours, steps=steps, without=without)
    return outcome if outcome.violation is not None else attrs.evolve(outcome, lines=())


def _progress(done: int, of: int, began: float) -> None:
    """A line that is written over on a terminal; elsewhere a new one now and then."""
    text = f"{done} of {of} seeds, {time.perf_counter() - began:.0f} s"
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=done == of, err=True)
    elif done % _EVERY == 0:
        click.echo(text, err=True)
