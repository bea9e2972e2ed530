"""Optional abilities of a provider, in addition to :class:`~actors.providers.base.Provider`. Each is found by its
methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import attrs
import trio

from actors.jobs.records import JobRequest
from actors.providers.base import Handle, LogChunk


class FollowsLogs(Protocol):
    """A provider that streams output. Its ``capabilities.streams_logs`` is true."""

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> None:
        """Send the job's output from ``cursor`` on into ``into`` as it is written, each byte once, until the job
        has ended.
        """


@runtime_checkable
class TakesVerdicts(Protocol):
    """A provider that keeps something for an uncertain job, such as devices, until a person decides."""

    async def settled(self, key: str) -> None:
        """A person has decided that no process of the job runs any more. Idempotent."""


@runtime_checkable
class SeeksLogs(Protocol):
    """A provider that can find a place in a job's output."""

    async def log_cursor(self, key: str, handle: Handle, *, lines: int | None, since: datetime | None) -> str | None:
        """The cursor of the last ``lines`` lines, or of what was written ``since`` a time; of both, the later.

        None: it is not known when this job's output was written.
        """


@attrs.frozen
class RequestFault:
    """What is wrong with a request's ``field``, and what to change, in one sentence.

    ``sure`` false: it could not be found out, which is no reason to refuse the job.
    """

    field: str
    message: str
    sure: bool = True


@runtime_checkable
class ChecksRequests(Protocol):
    """A provider that can detect, before a job is accepted, that it cannot run."""

    async def check_requests(self, requests: Sequence[JobRequest]) -> list[tuple[RequestFault, ...]]:
        """The faults of each of ``requests``, which were prepared before. Returns in bounded time, even if a disk
        hangs.
        """


@runtime_checkable
class MeasuresOutput(Protocol):
    """A provider that keeps files of its jobs on a disk of this machine."""

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """The bytes that ``forget`` would free; None: that cannot be said quickly."""


@runtime_checkable
class KeepsRecords(Protocol):
    """A provider that knows how long it keeps records: a job that is not in them was surely not submitted in that
    time.
    """

    async def records_since(self) -> datetime | None:
        """The time since when it knows every job that it accepted, also ended ones; None: that cannot be said."""


@attrs.frozen
class ListedJob:
    """A job that a provider runs: the ``key`` under which it was submitted, and its name there."""

    key: str
    name: str


@runtime_checkable
class ListsJobs(Protocol):
    """A provider that can list all jobs that it runs for us, also those that are not in our rows."""

    async def list_jobs(self) -> Sequence[ListedJob]:
        """The jobs that have not ended."""


@runtime_checkable
class NamesDevices(Protocol):
    """A provider whose GPUs have names, which its jobs use to say which GPUs they got."""

    @property
    def devices(self) -> Sequence[str]:
        """The names of all its GPUs."""


@attrs.frozen
class Remark:
    """``text``: a sentence about the job with submission key ``key``, which has already ended."""

    key: str
    text: str


@runtime_checkable
class Remarks(Protocol):
    """A provider that sends remarks: the channel is read as long as the runtime runs."""

    remarks: trio.MemoryReceiveChannel[Remark]
