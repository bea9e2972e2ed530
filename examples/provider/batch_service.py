"""What the provider beside this file talks to: the client of a batch service, and one that is simulated.

A real client would send HTTP. This one keeps jobs in memory, so that the example runs anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import attrs
import trio


class AlreadyThere(Exception):
    """The service has a job of that id."""


@attrs.define
class BatchJob:
    """A job as the service shows it. ``status``: waiting, running, done, failed or stopped."""

    status: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    output: bytes = b""


class BatchService(Protocol):
    """The calls of the service. Each may raise ConnectionError or TimeoutError."""

    async def jobs(self) -> Mapping[str, BatchJob]:
        """Return all jobs, by id."""

    async def start(self, job_id: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a job. Raises :class:`AlreadyThere`."""

    async def stop(self, job_id: str) -> None:
        """Ask a job to end."""

    async def output(self, job_id: str, offset: int) -> bytes:
        """Return what a job has written, from an offset on."""

    async def delete(self, job_id: str) -> None:
        """Delete an ended job. It is no error if the job is not there."""

    async def aclose(self) -> None:
        """Close the connections."""


class SimulatedService:
    """Jobs that run in trio's time: `sleep N` takes N seconds, `false` fails, anything else is done at once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._jobs: dict[str, BatchJob] = {}
        self._ends: dict[str, float] = {}

    async def jobs(self) -> Mapping[str, BatchJob]:
        """Return all jobs, by id."""
        await trio.lowlevel.checkpoint()
        for job_id, end in list(self._ends.items()):
            if end <= trio.current_time():
                self._end(job_id, "done" if self._jobs[job_id].exit_code is None else "failed")
        return self._jobs

    async def start(self, job_id: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a job. Raises :class:`AlreadyThere`."""
        await trio.lowlevel.checkpoint()
        if job_id in self._jobs:
            raise AlreadyThere(job_id)
        output = f"{env['GREENROOM_JOB_ID']}: {' '.join(command)}\n".encode()
        exit_code = 1 if command[0] == "false" else None
        self._jobs[job_id] = BatchJob("running", self._now(), exit_code=exit_code, output=output)
        self._ends[job_id] = trio.current_time() + (float(command[1]) if command[0] == "sleep" else 0)

    async def stop(self, job_id: str) -> None:
        """Ask a job to end."""
        await trio.lowlevel.checkpoint()
        if job_id in self._ends:
            self._end(job_id, "stopped")

    async def output(self, job_id: str, offset: int) -> bytes:
        """Return what a job has written, from an offset on."""
        await trio.lowlevel.checkpoint()
        return self._jobs[job_id].output[offset:]

    async def delete(self, job_id: str) -> None:
        """Delete an ended job. It is no error if the job is not there."""
        await trio.lowlevel.checkpoint()
        self._jobs.pop(job_id, None)

    async def aclose(self) -> None:
        """Nothing is open."""
        await trio.lowlevel.checkpoint()

    def _end(self, job_id: str, status: str) -> None:
        job = self._jobs[job_id]
        job.status, job.ended_at = status, self._now()
        if status == "done":
            job.exit_code = 0
        del self._ends[job_id]


def connect(address: str) -> BatchService:
    """The client of the service at ``address``: here the simulated one."""
    return SimulatedService(lambda: datetime.now(UTC))
