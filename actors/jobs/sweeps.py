"""A sweep: one request with placeholders, and the matrix whose combinations fill them."""

from __future__ import annotations

import attrs

from actors.jobs.matrix import Matrix, SweepFault, combinations
from actors.jobs.placeholders import Filler
from actors.jobs.records import JobRequest


@attrs.frozen
class Sweep:
    """``request`` may hold placeholders. ``keys``: an idempotency key for each job that it makes, or none."""

    request: JobRequest
    matrix: Matrix
    keys: tuple[str, ...] = ()


def expand(sweep: Sweep) -> list[JobRequest]:
    """The jobs of ``sweep``: one for each combination of its matrix, with its ``parameters``.

    The same sweep gives the same jobs in the same order. Raises :class:`SweepFault` where it makes too many or none,
    for a placeholder that no parameter fills, and where it has keys for another number of jobs.
    """
    filler = Filler(sweep.request, sweep.matrix.names)
    try:
        found = combinations(sweep.matrix)
    except SweepFault as fault:
        raise SweepFault(fault.message, "matrix", *fault.at) from None
    jobs = [filler.fill(values, number) for number, values in enumerate(found, 1)]
    if not sweep.keys:
        return jobs
    if len(sweep.keys) != len(jobs):
        raise SweepFault(f"has {len(sweep.keys)} keys for {len(jobs)} jobs", "idempotency_keys")
    return [attrs.evolve(job, idempotency_key=key) for job, key in zip(jobs, sweep.keys, strict=True)]
