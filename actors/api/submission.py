"""How a submission is to be taken: the query parameters of the routes that submit."""

from __future__ import annotations

import attrs

from actors.jobs import maximum
from actors.jobs.file_rules import Again, FileRules


@attrs.frozen
class SubmitQuery:
    """``check`` false: accept what can be seen not to run (E6), with ``warnings``, instead of refusing it."""

    check: bool = True


@attrs.frozen
class SubmissionQuery(SubmitQuery):
    """``check`` false: accept what can be seen not to run (E6), with ``warnings``, instead of refusing it.

    ``job_file``: these are jobs of a job file, of this SHA-256 digest: their keys hold as long as they are kept.
    ``again``: which of those that are there already are submitted anew; with ``job_file`` only.
    """

    job_file: str | None = attrs.field(default=None, validator=maximum.Text(64))
    again: Again = "none"

    @property
    def file(self) -> FileRules | None:
        """How the jobs of a job file are taken; None: they are none."""
        return None if self.job_file is None else FileRules(self.job_file, self.again)
