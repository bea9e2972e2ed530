"""A sweep: one request with placeholders, and the matrix whose combinations fill them."""

from __future__ import annotations

import attrs

from actors.jobs.matrix import Matrix, SweepFault, combinations
from actors.jobs.placeholders import Filler
from actors.jobs.records import JobRequest


@attrs.frozen
class Sweep:
    """``request`` may hold placeholders. ``keys``: an idempotency key for each job that it makes.

    Without them, and with a key in ``request``, each job has that key with its number.
    """

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
    keys = sweep.keys or [f"{sweep.request.idempotency_key}-{number}" for number in range(1, len(jobs) + 1)]
    if len(keys) != len(jobs):
        raise SweepFault(f"has {len(keys)} keys for {len(jobs)} jobs", "idempotency_keys")
    if not sweep.keys and sweep.request.idempotency_key is None:
        return jobs
    return [attrs.evolve(job, idempotency_key=key) for job, key in zip(jobs, keys, strict=True)]
