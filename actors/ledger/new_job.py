"""What the ledger gets for a job that is submitted."""

from __future__ import annotations

import attrs

from actors.jobs.records import JobRequest


@attrs.frozen
class NewJob:
    """A checked request, and the correlation ID of everything that happens to its job.

    ``retry_of``: the job in whose place it is submitted, and whose parents it keeps. ``encoded``: the request as JSON,
    if it is at hand. ``written_name``: the name of a matrix as it is written, by which later requests mean all its
    jobs. ``sees``: the user whose jobs alone its submitter may see; None: all. ``warnings``: for its submitter.
    ``position``: of the request among the several that were submitted together, from 1.
    """

    request: JobRequest
    correlation_id: str
    retry_of: str | None = None
    encoded: bytes | None = None
    written_name: str | None = None
    sees: str | None = None
    warnings: tuple[str, ...] = ()
    position: int | None = None

    @property
    def where(self) -> str:
        """The beginning of a refusal of this job: which of several requests it is."""
        return where_of(self.position)


def where_of(position: int | None) -> str:
    """The beginning of a refusal of the request at ``position``; None: it is the only one."""
    return "" if position is None else f"job {position}: "
