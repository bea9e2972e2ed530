"""The results of many seeds, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from actors.jobs.lifecycle import TRANSITIONS
from actors.simulation.running import Outcome
from actors.simulation.shrinking import Shrunk

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
        self._simulated = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more seed."""
        self.seeds += 1
        self._simulated += outcome.simulated
        self._reached += outcome.reached
        self.transitions |= outcome.transitions
        self._numbers.update(jobs=outcome.jobs, events=outcome.events, processes=outcome.processes)
        if outcome.violation is not None:
            self.failed.append(outcome)

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
        events = {step.event for _, step in TRANSITIONS.values()}
        yield "events: " + _listed({name: number for name, number in self._reached.items() if name in events})
        possible = sum(len(pairs) for pairs, _ in TRANSITIONS.values())
        yield f"transitions: {len(self.transitions)} of {possible} were taken"

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
