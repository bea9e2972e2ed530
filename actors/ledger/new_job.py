"""What the ledger is given of a job that is submitted."""

from __future__ import annotations

import attrs

from actors.jobs.records import JobRequest


@attrs.frozen
class NewJob:
    """A checked request, and the correlation ID of all that happens to its job.

    ``retry_of``: the job in whose place it is submitted, whose parents it keeps. ``encoded``: the request as JSON, if
    it is at hand. ``written_name``: the name of a matrix as it is written, by which later requests mean all that it
    made. ``sees``: the user whose jobs alone its submitter may see; None: all. ``warnings``: what its submitter should
    know.
    """

    request: JobRequest
    correlation_id: str
    retry_of: str | None = None
    encoded: bytes | None = None
    written_name: str | None = None
    sees: str | None = None
    warnings: tuple[str, ...] = ()
