"""What squeue prints about this user's jobs: lines of our own format, among them jobs that are not ours.

The comment comes last, since it may hold anything, the separator and line ends included: what does not look like a line
is left out. One comment that is a submission key makes a line one of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs

FORMAT = "%i|%T|%S|%e|%B|%r|%k"
"""Id, state, start, end, host of the script, reason, comment."""

_ID = re.compile(r"[1-9][0-9]{0,18}")
_STATE = re.compile(r"[A-Z_]{1,40}")
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_LONGEST_REASON = 200


@attrs.frozen
class SlurmJob:
    """One job as Slurm reports it. ``reason``: why it waits, or how it ended; "" where nothing is said."""

    job_id: int
    state: str
    key: str
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    host: str | None = None


def jobs_of(text: str) -> Iterator[SlurmJob]:
    """The jobs in an answer that could be ours, as they come."""
    for line in text.splitlines():
        if (job := _job_of(line)) is not None:
            yield job


def by_key(text: str) -> dict[str, list[SlurmJob]]:
    """The jobs of each key, the earliest first."""
    found: dict[str, list[SlurmJob]] = {}
    for job in jobs_of(text):
        found.setdefault(job.key, []).append(job)
    for jobs in found.values():
        jobs.sort(key=lambda job: job.job_id)
    return found


def job_id_of(text: object) -> int | None:
    """A job's number; None for what is none, such as one of an array (``123_4``)."""
    return int(text) if isinstance(text, str) and _ID.fullmatch(text) else None


def _job_of(line: str) -> SlurmJob | None:
    fields = line.split("|", FORMAT.count("|"))
    if len(fields) <= FORMAT.count("|"):
        return None
    number, state, start, end, host, reason, key = (field.strip() for field in fields)
    job_id = job_id_of(number)
    if job_id is None or not _STATE.fullmatch(state) or not _KEY.fullmatch(key):
        return None
    return SlurmJob(
        job_id, state, key,
        reason="" if reason == "None" else reason[:_LONGEST_REASON],
        started_at=time_of(start), ended_at=time_of(end), host=host if _HOST.fullmatch(host) else None,
    )  # fmt: skip


def time_of(text: str) -> datetime | None:
    """A time as Slurm writes it where TZ is UTC; None for ``N/A``, ``Unknown`` and whatever else is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
