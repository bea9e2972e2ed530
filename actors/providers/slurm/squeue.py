"""Reads what squeue prints about this user's jobs: lines in a format of our own, also for jobs that are not ours.

The comment is the last field, because it may contain anything, also the separator and line ends. Text that does not
look like a line is left out. If the comment is a submission key, the line is one of ours. Elements of arrays
(``123_4``) and parts of heterogeneous jobs (``123+1``) are other people's, because we submit neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import attrs

FORMAT = "%i|%T|%S|%e|%N|%r|%k"
"""Id, state, start, end, nodes, reason, comment."""

_ID = re.compile(r"[1-9][0-9]{0,18}")
_STATE = re.compile(r"[A-Z_]{1,40}")
_NODES = re.compile(r"[A-Za-z0-9_.,\[\]-]{1,8192}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_LONGEST_REASON = 200


@attrs.frozen
class SlurmJob:
    """One job as Slurm reports it. ``key``: its comment, where that can be a submission key.

    ``reason``: why it waits, or how it ended; "" where nothing is said. ``nodes``: those that it was given, as Slurm
    writes them (``n[1-3]``); None: none yet.
    """

    job_id: int
    state: str
    key: str = ""
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    nodes: str | None = None


@attrs.frozen
class Shown:
    """All jobs of this user that Slurm shows."""

    _by_key: dict[str, list[SlurmJob]] = attrs.field(factory=dict)
    _by_id: dict[int, SlurmJob] = attrs.field(factory=dict)

    @classmethod
    def of(cls, text: str) -> Shown:
        """Return the jobs in the output of squeue."""
        found = cls()
        for job in jobs_of(text):
            found._by_id[job.job_id] = job
        for job in sorted(found._by_id.values(), key=lambda job: job.job_id):
            found._by_key.setdefault(job.key, []).append(job)
        return found

    def with_keys(self) -> list[SlurmJob]:
        """Return all jobs whose comment can be a key."""
        return [job for key, jobs in self._by_key.items() if key for job in jobs]

    def of_key(self, key: str, job_id: int | None = None) -> Sequence[SlurmJob]:
        """Return the jobs with this key, the earliest first; otherwise the one of this number, if its comment is no
        key.
        """
        if jobs := self._by_key.get(key):
            return jobs
        named = self._by_id.get(job_id) if job_id is not None else None
        return [named] if named is not None and not named.key else []


def jobs_of(text: str) -> Iterator[SlurmJob]:
    """Yield the jobs in an answer that could be ours, in its order."""
    for line in text.split("\n"):
        if (job := _job_of(line)) is not None:
            yield job


def job_id_of(value: object) -> int | None:
    """Return a job's number, or None for anything else, such as an element of an array (``123_4``)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 < value < 2**63 else None
    return int(value) if isinstance(value, str) and _ID.fullmatch(value) else None


def _job_of(line: str) -> SlurmJob | None:
    fields = line.split("|", FORMAT.count("|"))
    if len(fields) <= FORMAT.count("|"):
        return None
    number, state, start, end, nodes, reason, comment = (field.strip() for field in fields)
    job_id = job_id_of(number)
    if job_id is None or not _STATE.fullmatch(state):
        return None
    return SlurmJob(
        job_id, state, comment if _KEY.fullmatch(comment) else "",
        reason="" if reason == "None" else "".join(filter(str.isprintable, reason))[:_LONGEST_REASON],
        started_at=time_of(start), ended_at=time_of(end), nodes=nodes if _NODES.fullmatch(nodes) else None,
    )  # fmt: skip


def time_of(text: str) -> datetime | None:
    """Return a time as Slurm writes it where TZ is UTC; None for ``N/A``, ``Unknown`` and anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
