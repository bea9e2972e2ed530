"""What a provider may have beside :class:`~actors.providers.base.Provider`, each found by its methods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import attrs
import trio

from actors.jobs.records import JobRequest
from actors.providers.base import Handle, LogChunk


class FollowsLogs(Protocol):
    """A provider may have this beside :class:`Provider`: one whose ``capabilities.streams_logs`` is true."""

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> None:
        """Send the job's output from ``cursor`` into ``into`` as it comes, each byte once, until the job has ended."""


@runtime_checkable
class TakesVerdicts(Protocol):
    """A provider that keeps something for an uncertain job, devices for example, until a person decides."""

    async def settled(self, key: str) -> None:
        """A person says that nothing of the job runs any more. Idempotent."""


@runtime_checkable
class SeeksLogs(Protocol):
    """A provider that can say where in a job's output to begin."""

    async def log_cursor(self, key: str, handle: Handle, *, lines: int | None, since: datetime | None) -> str | None:
        """The cursor of the last ``lines`` lines, of what came since then, or of the later of both.

        None: when output arrived is not known of this job.
        """


@attrs.frozen
class RequestFault:
    """What is wrong with a request's ``field``, and what to change, in one sentence.

    ``sure`` false: it could not be found out, which is no reason to refuse.
    """

    field: str
    message: str
    sure: bool = True


@runtime_checkable
class ChecksRequests(Protocol):
    """A provider that can see before a job is accepted that it could not run."""

    async def check_requests(self, requests: Sequence[JobRequest]) -> list[tuple[RequestFault, ...]]:
        """What is wrong with each of ``requests``, which were prepared before; in bounded time, whatever hangs."""


@runtime_checkable
class MeasuresOutput(Protocol):
    """A provider that keeps something of its jobs on a disk of ours."""

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """What ``forget`` would free, in bytes; None: that cannot be said quickly."""


@runtime_checkable
class KeepsRecords(Protocol):
    """A provider that says for how long it knows its jobs: what it does not have then surely was not submitted."""

    async def records_since(self) -> datetime | None:
        """Since when it knows every job that it accepted, ended ones included; None: that cannot be said."""


@attrs.frozen
class Held:
    """A job that a provider runs: the ``key`` that it was submitted under, and what it is called there."""

    key: str
    name: str


@runtime_checkable
class ListsHeld(Protocol):
    """A provider that can list what it runs for us, whether or not our rows know of it."""

    async def held(self) -> Sequence[Held]:
        """The jobs that have not ended."""


@runtime_checkable
class NamesDevices(Protocol):
    """A provider whose GPUs have names, by which its jobs say which of them they got."""

    @property
    def devices(self) -> Sequence[str]:
        """The names of all its GPUs."""


@attrs.frozen
class Remark:
    """``text``: a sentence about the job of submission key ``key``, which has ended already."""

    key: str
    text: str


@runtime_checkable
class Remarks(Protocol):
    """A provider that makes remarks: the channel is read for as long as the runtime runs."""

    remarks: trio.MemoryReceiveChannel[Remark]
