"""Worlds in which every promise must hold: those that broke one once, and some more that nobody has seen."""

import os
import zlib

import pytest

from actors.simulation import simulate

CORPUS = {
    1: "a provider that fails after it has accepted: the job ran twice where that was taken for a refusal",
    4: "a stop in the middle of a hand-over that never answers: it took a minute where nothing bounded it",
    7: "a commit that fails after another: an event was lost where it had a transaction of its own",
    129: "deliveries that cannot be verified while their provider fails",
    1723036029: "a limit lowered while a claimed submission was ten minutes late: the checker was wrong",
}
"""Seed and what it showed when something was missing."""

FRESH = int(os.environ.get("GREENROOM_SIMULATION_SEEDS", "20"))
HOURS = float(os.environ.get("GREENROOM_SIMULATION_HOURS", "0.25"))
BLOCKS = 20


def holds(seed, hours=HOURS):
    outcome = simulate(seed, hours)
    assert outcome.violation is None, (
        f"{outcome.violation}\nshow it: python -m actors.simulation --seeds {seed} --hours {hours:g}"
    )
    return outcome


@pytest.mark.parts
@pytest.mark.parametrize("block", range(BLOCKS))
def test_fresh_worlds_hold(block, request):
    """Other seeds on every run: GREENROOM_SIMULATION_FIRST names the first of them, to see the same ones again."""
    run = getattr(request.config, "workerinput", {}).get("testrunuid", str(os.getppid() * 100_003 + os.getpid()))
    first = int(os.environ.get("GREENROOM_SIMULATION_FIRST", 1_000_000 + zlib.crc32(run.encode()) // 1000 * 1000))
    for seed in range(first + block, first + FRESH, BLOCKS):
        holds(seed)


@pytest.mark.parametrize("seed", sorted(CORPUS))
def test_what_broke_once_holds(seed):
    holds(seed, 1)
