"""``run --file``: the jobs of a file, submitted to the runtime in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.control.runtime import Runtime
from actors.job_requests.file_parts import FileParts
from actors.jobs.file_rules import Again
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import Accepted

if TYPE_CHECKING:
    from actors.job_requests.job_file import JobFile


async def submit_file(runtime: Runtime, file: JobFile, again: Again, *, check: bool) -> list[Accepted]:
    """Submit the jobs of ``file``, in as many requests as they need.

    ``again``: which of the existing jobs are submitted anew. ``check``: as in
    :meth:`~actors.control.jobs.Jobs.submit_many`.
    """
    parts, accepted = FileParts(file.requests), list[Accepted]()
    for part in parts.parts():
        try:
            made = await runtime.jobs.submit_many(part, file.rules(again), check=check)
        except Refused as error:
            if error.kind is not RefusalKind.INVALID:
                raise
            raise Refused(parts.placed(str(error), file.path, part), error.kind, error.field) from None
        parts.note(part, [(one.job.job_id, one.job.request.config_name) for one in made])
        accepted += made
    return accepted
