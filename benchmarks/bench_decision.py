"""How long one decision takes: the pure part, over lanes in memory.

    python benchmarks/bench_decision.py [--lanes 1000] [--json]

Three cases for each number of lanes: every user at the limit (all lanes are checked and none runs), every lane too big
for the free resources, and five free slots.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from common import Figure, arguments, report

from actors.jobs.bounds import ProviderState
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.scheduling import Decision, Head, Lane, Running, decide

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROUNDS = 50


def lanes(number: int, gpus: int = 0) -> list[Lane]:
    """``number`` lanes, four for each user, in scrambled order of age."""
    made = []
    for index in range(number):
        queued_at = NOW - timedelta(seconds=(index * 7919) % 20_000)
        needs = Resources(cpus=1, gpus=gpus)
        head = Head(f"job-{index}", queued_at, index)
        user, organisation, base = f"user-{index // 4}", f"org-{index % 7}", index % 4 * 10
        made.append(Lane(index, user, organisation, None, "local", needs, base, None, 9, head))
    return made


def running(number: int) -> list[Running]:
    """Two running jobs for each of ``number`` users."""
    return [Running(f"user-{index}", None, None, "local", Resources(), 2) for index in range(number)]


def decisions(number: int) -> dict[str, tuple[list[Lane], list[Running], Limits]]:
    """The cases by name."""
    wide = Limits(total=10**6)
    return {
        "all users at the limit": (lanes(number), running(number // 4 + 1), wide),
        "nothing fits": (lanes(number, gpus=2), [], wide),
        "five free slots": (lanes(number), [], Limits(total=5)),
    }


def best_time(waiting: Sequence[Lane], runs: Sequence[Running], limits: Limits) -> tuple[float, Decision]:
    """Seconds of the fastest of several rounds, and the decision."""
    providers = {"local": ProviderState(Capacity(cpus=10**6, gpus=1))}
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        decision = decide(waiting, runs, limits, providers, NOW, lambda lane: None)
        best = min(best, time.perf_counter() - start)
    return best, decision


def main() -> None:
    """Measure and report: 50 lanes, then many."""
    given = arguments(__doc__, lanes=(1_000, "lanes of the large case"))
    figures = []
    for number in (50, given.lanes):
        for name, (waiting, runs, limits) in decisions(number).items():
            seconds, decision = best_time(waiting, runs, limits)
            figures.append(Figure(f"{number:,} lanes, {name}", seconds * 1e3, "ms", note=decision.summary))
    report(figures, as_json=given.json)


if __name__ == "__main__":
    main()
