"""How the jobs of a job file are submitted when some of them are there already."""

from __future__ import annotations

from typing import Literal

import attrs

from actors.jobs.records import Job, JobStatus

Again = Literal["none", "failed", "all"]
"""Which of the jobs of a file that are there already are submitted anew."""


@attrs.frozen
class FileRules:
    """The idempotency keys of these jobs were made from a job file: each holds as long as its job is kept.

    ``digest``: SHA-256 of the file in 64 hex digits; the keys that version 0.1.0 made from it are recognised.
    """

    digest: str = ""
    again: Again = "none"

    def repeats(self, job: Job) -> bool:
        """Whether ``job``, which is there already, is submitted anew."""
        return self.again == "all" or (self.again == "failed" and job.status is JobStatus.FAILED)
