"""Simulated hours per second: systems at a job a minute, and whole ones as CI runs them.

    python benchmarks/bench_simulation.py [--rounds 5] [--json]

A simulated system is the runtime with its four providers, clients and the disk (`actors.simulation`), for half an hour
and the quiet phase after it. Measured in CPU seconds, so that other load counts less. It is compared, in the same
rounds, with the same systems without submissions and disturbances, which is the cost of the actors' intervals alone.

A job a minute is the workload of users alone. A whole system has some four times as many jobs, for it has situations,
floods and wide jobs besides, and all that goes wrong.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from common import Figure, arguments, ratio, report

from actors.simulation import Outcome, simulate
from actors.simulation.pinned import source
from actors.simulation.script import JOBS_AN_HOUR, Step, drawn_script, workload

HOURS = 0.5
SEEDS = (1, 2, 3, 6)
AIM = 1.5
"""Simulated hours per CPU second at a job a minute."""

AT_A_JOB_A_MINUTE = f"{JOBS_AN_HOUR} jobs an hour"
Keep = Callable[[int, Step], bool]


def by_users(seed: int) -> frozenset[tuple[float, str]]:
    """Moment and kind of each step of the users' workload."""
    return frozenset((step.at, step.kind) for step in workload(source(seed, "workload"), HOURS * 3600))


def systems(outcomes: list[Outcome], keep: Keep) -> Callable[[], None]:
    """A contender: each system once, with the steps of its script that ``keep`` selects."""
    left_out = {seed: [step.number for step in drawn_script(seed, HOURS) if not keep(seed, step)] for seed in SEEDS}

    def run() -> None:
        outcomes[:] = [simulate(seed, HOURS, without=left_out[seed]) for seed in SEEDS]

    return run


def figure(name: str, outcomes: list[Outcome], seconds: list[float], idle: list[float] | None) -> Figure:
    """Simulated hours per CPU second, by the median round."""
    hours = sum(outcome.simulated for outcome in outcomes) / 3600
    beside = {} if idle is None else {"beside": "an idle system", "ratio": ratio(seconds, idle)}
    jobs = sum(outcome.jobs for outcome in outcomes)
    note = f"{jobs} jobs, {hours:.1f} h, fastest round {hours / min(seconds):.2f} h/s"
    value = hours / statistics.median(seconds)
    aim = {"target": f">= {AIM:g} h/s", "met": value >= AIM} if name == AT_A_JOB_A_MINUTE else {}
    return Figure(name, value, "h/s", note=note, **beside, **aim)


def main() -> None:
    """Measure and report."""
    asked = arguments(__doc__, rounds=(5, "rounds"))
    users = {seed: by_users(seed) for seed in SEEDS}
    kept: dict[str, Keep] = {
        "an idle system": lambda _seed, _step: False,
        AT_A_JOB_A_MINUTE: lambda seed, step: (step.at, step.kind) in users[seed],
        "a whole system": lambda _seed, _step: True,
    }
    outcomes: dict[str, list[Outcome]] = {name: [] for name in kept}
    simulate(SEEDS[0], 0.02)  # creates the template and compiles every statement
    contenders = {name: systems(outcomes[name], keep) for name, keep in kept.items()}
    taken: dict[str, list[float]] = {name: [] for name in kept}
    for _ in range(asked.rounds):  # not by `in_turn`: each system is its own trio run
        for name, run in contenders.items():
            began = time.process_time()
            run()
            taken[name].append(time.process_time() - began)
    idle = taken["an idle system"]
    figures = [figure(name, outcomes[name], taken[name], None if taken[name] is idle else idle) for name in kept]
    report(figures, as_json=asked.json)


if __name__ == "__main__":
    main()
