"""A sweep: one request with placeholders, and the matrix whose combinations fill them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    return list(expanding(sweep))


def expanding(sweep: Sweep) -> Iterator[JobRequest]:
    """:func:`expand`, one job after the other; it raises before the first."""
    filler = Filler(sweep.request, sweep.matrix.names)
    try:
        found = combinations(sweep.matrix)
    except SweepFault as fault:
        raise SweepFault(fault.message, "matrix", *fault.at) from None
    common = sweep.request.idempotency_key
    keys: Sequence[str | None] = sweep.keys or [
        None if common is None else f"{common}-{number}" for number in range(1, len(found) + 1)
    ]
    if len(keys) != len(found):
        raise SweepFault(f"has {len(keys)} keys for {len(found)} jobs", "idempotency_keys")
    return (filler.fill(values, number, key) for number, (values, key) in enumerate(zip(found, keys, strict=True), 1))
