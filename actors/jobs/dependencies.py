"""Jobs that wait for others: which ends count, and the texts for what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.statuses import TERMINAL_JOBS, JobStatus

MOST_SHOWN = 100
"""Jobs in the list of those that one job waits for, or that wait for it; their number is exact."""

MOST_NAME = 200
"""Characters of a group's name, as of any other (``maxima.NAME``)."""

_ENDS = {JobStatus.FAILED: "failed", JobStatus.CANCELLED: "was cancelled"}
BAD_ENDS = tuple(_ENDS)
"""Statuses of a parent after which a job of mode ``ok`` never starts."""


@attrs.frozen
class Parent:
    """A job that another one waits for. ``completed_at``: when it ended.

    ``broke``: the other job was cancelled because this one failed or was cancelled.
    """

    job_id: str
    name: str | None
    status: JobStatus
    completed_at: datetime | None = None
    broke: bool = False

    @property
    def shown(self) -> str:
        """Its name, or where it has none its id."""
        return self.name or self.job_id

    @property
    def has_ended(self) -> bool:
        """Whether it need not be waited for any more."""
        return self.status in TERMINAL_JOBS


@attrs.frozen
class Relatives:
    """Jobs that one waits for, or that wait for it: the first hundred of ``number``."""

    jobs: Sequence[Parent] = ()
    number: int = 0


def reference_fault(reference: Any) -> str | None:
    """What is wrong with one item of ``after``, in words that follow its name; None: nothing."""
    if isinstance(reference, str):
        return None if reference else "must not be empty"
    if not isinstance(reference, Mapping) or set(reference) != {"group"} or not isinstance(reference["group"], str):
        return 'must be a job or {"group": NAME}'
    if not 0 < len(reference["group"]) <= MOST_NAME:
        return f"must name a group, in at most {MOST_NAME} characters"
    return None


def breaks(status: JobStatus, mode: str) -> bool:
    """Whether a job of this ``after_mode`` never starts after this end of a parent."""
    return mode == "ok" and status in _ENDS


def bad_end(parent: Parent) -> str:
    """Why a job that waited for ``parent`` is cancelled: ``train-1, which it waits for, failed``."""
    return f"{parent.shown}, which it waits for, {_ENDS.get(parent.status, 'ended')}"


def refusal_of(parent: Parent) -> str:
    """Why no job can wait for ``parent``, which has already failed or was cancelled."""
    named = parent.job_id if parent.name is None else f"{parent.name} ({parent.job_id})"
    return (
        f"{named} {_ENDS.get(parent.status, 'ended')}, so this job would never start; "
        "retry or remove that one first, or say after_mode ended"
    )


def reason_to_wait(first: Parent, unfinished: int) -> str:
    """Why a job waits: ``waits for train-1 (running) and 2 more``. ``first``: one of those ``unfinished``."""
    more = f" and {unfinished - 1} more" if unfinished > 1 else ""
    return f"waits for {first.shown} ({first.status.value}){more}"
