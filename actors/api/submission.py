"""The query parameters of the routes that submit jobs."""

from __future__ import annotations

import attrs

from actors.jobs import maximum
from actors.jobs.file_rules import Again, FileRules


@attrs.frozen
class SubmitQuery:
    """``check`` false: accept jobs that can be seen not to run (E6), with ``warnings``, instead of refusing them."""

    check: bool = True


@attrs.frozen
class SubmissionQuery(SubmitQuery):
    """``check`` false: accept jobs that can be seen not to run (E6), with ``warnings``, instead of refusing them.

    ``job_file``: these are jobs of a job file with this SHA-256 digest: their keys hold as long as the jobs are kept.
    ``again``: which of the existing jobs are submitted anew; only with ``job_file``.
    """

    job_file: str | None = attrs.field(default=None, validator=maximum.Text(64))
    again: Again = "none"

    @property
    def file(self) -> FileRules | None:
        """How the jobs of a job file are handled; None: these are no jobs of a file."""
        return None if self.job_file is None else FileRules(self.job_file, self.again)
