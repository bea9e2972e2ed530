"""``python -m actors.simulation``: runs many seeds, several at once; exit status 1 if one failed."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import attrs
import click

from actors.simulation.running import Outcome, simulate
from actors.simulation.shrinking import Shrinker, Shrunk
from actors.simulation.summary import Summary, failure

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
                self.fail(f"{value!r} is no list of whole numbers such as 1-100 or 3,17", param, ctx)
            found += range(int(first), int(last or first) + 1)
        return tuple(found)


@click.command()
@click.option("--seeds", type=Numbers(), default="1-10", show_default=True, help="Which worlds, such as 1-100 or 3,17.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
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
            _progress(summary.seeds, len(seeds), began)
            if summary.failed and not keep_going:
                break
    for failed in summary.failed:
        replayed = steps is not None or without
        shrunk = Shrunk(failed, failed.steps if steps is None else steps, without, 1) if replayed else None
        click.echo("\n".join(failure(shrunk or Shrinker(failed).shrink())))
    click.echo("\n".join(summary.lines(time.perf_counter() - began)))
    sys.exit(1 if summary.failed else 0)


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
