"""Deterministic simulation: whole worlds from a seed, weeks of operation in minutes, every failure reproducible.

    outcome = simulate(seed=17, hours=24)
    assert outcome.violation is None

The whole runtime (its actors, its ledger, its store on SQLite in memory) runs against simulated providers, clients and
a disk, under a mock clock and trio's scheduler driven by the seed. What people do and what goes wrong are drawn from
the seed, too; what must always hold is checked meanwhile, from the providers' side as well, and at the end, after a
phase without faults. ``python -m actors.simulation --seeds 1-100 --hours 1`` does it for many and shortens what fails.
"""

from actors.simulation.running import Outcome, simulate

__all__ = ["Outcome", "simulate"]
