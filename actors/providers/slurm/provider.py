"""The provider `slurm`: runs jobs on a Slurm cluster, with the commands that every cluster has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.jobs.ids import time_of
from actors.jobs.records import Capacity, JobRequest, Observation, Phase
from actors.providers.abilities import ListedJob
from actors.providers.base import (
    ABSENT,
    UNKNOWABLE,
    CancelAck,
    Capabilities,
    Found,
    Handle,
    LogChunk,
    Nudge,
    Prepared,
    Submitted,
    View,
)
from actors.providers.deliveries import NoDeliveries
from actors.providers.disk_threads import DiskThreads
from actors.providers.disk_usage import bytes_below
from actors.providers.errors import Conflict, Invalid, ProviderError, Unavailable, explained_as
from actors.providers.local.log_places import log_place
from actors.providers.local.logs import read_log
from actors.providers.shared_outputs import SharedOutputs
from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.commands import Commands
from actors.providers.slurm.finding import Adopted, Finder
from actors.providers.slurm.nodes import Nodes
from actors.providers.slurm.observing import Observer
from actors.providers.slurm.options import SlurmOptions
from actors.providers.slurm.preparing import prepare_request
from actors.providers.slurm.records import Records, is_key
from actors.providers.slurm.squeue import job_id_of
from actors.providers.slurm.statuses import RUNNING, WAITING
from actors.providers.slurm.submitting import Submitter
from logconf import get_logger

_logger = get_logger(__name__)

CAPABILITIES = Capabilities(separate_limits=True)


class SlurmProvider(NoDeliveries):
    """A Slurm cluster. ``name``: its name in the configuration. ``root``: a directory of this provider alone.

    The next process finds what it needs in the records below the directory (:mod:`.records`). The handle has the number
    of the Slurm job, which is for people: a job is known by its key.
    """

    def __init__(
        self,
        options: SlurmOptions,
        root: Path,
        name: str = "slurm",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.capabilities = CAPABILITIES
        self._options = options
        self._threads = DiskThreads()
        directory = Path(options.directory) if options.directory else root / "jobs"
        self._records = Records(directory, root / "locks")
        self._outputs = SharedOutputs(directory / "jobs", f"providers.{name}.directory")
        self._cluster = Cluster(name, Commands(name, options))
        self._finder = Finder(self._cluster, self._records, self._threads, options.absent_after, now)
        self._submitter = Submitter(self._cluster, self._records, self._outputs, self._finder, self._threads, now)
        self._observer = Observer(self._cluster, self._finder, self._outputs, now, Nodes(self._cluster))

    def capacity(self) -> Capacity:
        """Return a capacity without limits, because Slurm has a queue of its own."""
        return Capacity()

    def prepare(self, request: JobRequest) -> Prepared:
        """Check ``request``. Raises :class:`Invalid` naming every fault."""
        return prepare_request(request, self._options)

    async def check(self) -> Mapping[str, Any]:
        """Return facts about the cluster. Raises :class:`Unavailable` if commands are missing or too old, or nobody
        answers.
        """
        version = await self._cluster.version()
        settings = await self._cluster.settings()
        await self._finder.ready()
        return {"version": version, **attrs.asdict(settings), "directory": str(self._records.directory)}

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Submit a job, or find it if it was submitted before."""
        if not is_key(key):
            raise Invalid(f"the submission key {key!r:.80} cannot name a file")
        adopted = await self._submitter.submit(key, token, prepared.body, context)
        if not adopted.existed:
            return Submitted(_handle(adopted), Observation(Phase.QUEUED, "PENDING"))
        return await self._submitted(key, adopted)

    async def find(self, key: str, token: str) -> Found:
        """Return what the cluster, or a record of ours, knows under ``key``. Raises if that is not known yet."""
        if not is_key(key):
            return ABSENT
        found = await self._finder.find(key, token)
        if isinstance(found, Adopted):
            return await self._submitted(key, found)
        return ABSENT if found is ABSENT else UNKNOWABLE

    async def records_since(self) -> datetime:
        """Return since when our directory has the records of all jobs. Raises :class:`Unavailable`."""
        return await self._finder.ready()

    async def list_jobs(self) -> list[ListedJob]:
        """Return the jobs of this user that have a key of Greenroom's and have not ended."""
        shown = (await self._cluster.jobs()).with_keys()
        ours = [job for job in shown if time_of(job.key) is not None and job.state in WAITING | RUNNING]
        return [ListedJob(job.key, f"Slurm job {job.job_id}") for job in ours]

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Observe all of them with one squeue."""
        await trio.lowlevel.checkpoint()
        return await self._observer.observe(known) if (known := _of_keys(handles)) else View()

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Ask Slurm to end a job: by TERM, and by KILL after KillWait."""
        shown = await self._cluster.jobs_of(key, job_id_of(handle.get("id")))
        going_on = [job for job in shown if job.state in WAITING | RUNNING]
        for job in going_on:
            await self._cluster.cancel(job.job_id)
        if going_on:
            self._observer.note_cancelled(key, waited=all(job.state in WAITING for job in going_on))
            return CancelAck.ACCEPTED
        known = await self._finder.known(key) if is_key(key) else None
        if shown or (known is not None and known.exit is not None):
            return CancelAck.ALREADY_TERMINAL
        return CancelAck.UNKNOWN_JOB

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        """Yield the job's output from ``cursor`` (a number of bytes) to its present end. It is on the shared disk."""
        await self._finder.known(key)  # raises where the file system is not there, which looks like an empty output
        try:  # no context manager, since a generator that is left early would end it late
            async for chunk in read_log(self._outputs.directory(key), cursor, self._threads):
                yield chunk
        except OSError as error:
            raise ProviderError(f"the output of {key} cannot be read on this machine: {error}") from error

    async def log_cursor(self, key: str, handle: Handle, *, lines: int | None, since: datetime | None) -> str | None:
        """Return the cursor of the last ``lines`` lines. It is not known when output arrived."""
        with explained_as(ProviderError, f"the output of {key} cannot be read on this machine"):
            place = await self._threads.run(log_place, self._outputs.directory(key), lines, since)
        return None if place is None else str(place)

    async def forget(self, key: str, handle: Handle) -> None:
        """Remove the job's directory and its records. Raises :class:`Conflict` for one that has not ended."""
        if not is_key(key):
            return
        known = await self._finder.known(key)
        if known.exit is None and (known.intent is not None or known.start is not None):
            shown = (await self._cluster.jobs()).of_key(key)
            if any(job.state in WAITING | RUNNING for job in shown):
                raise Conflict(f"Slurm job {shown[0].job_id} has not ended")
        await self._outputs.remove(key)
        await self._remove_records(key)
        self._observer.forget(key)

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """Return how many bytes the job's directory takes."""
        return await self._threads.run(bytes_below, self._outputs.directory(key).path)

    async def settled(self, key: str) -> None:
        """Cancel what waits, and remove the records: a person says that nothing of the job runs any more."""
        if not is_key(key):
            return
        await self._finder.ready()
        for job in (await self._cluster.jobs()).of_key(key):
            if job.state in WAITING | RUNNING:
                await self._cluster.cancel(job.job_id)
        await self._remove_records(key)
        self._observer.forget(key)

    async def watch(self, nudge: Nudge) -> None:
        """Warn at the start if the commands are missing or too old. Slurm sends no news by itself."""
        try:
            await self._cluster.version()
        except Unavailable as error:
            _logger.warning("Provider %s cannot be used: %s", self.name, error, extra={"provider": self.name})

    async def aclose(self) -> None:
        """Do nothing: nothing is open, and the jobs go on."""
        await trio.lowlevel.checkpoint()

    async def _remove_records(self, key: str) -> None:
        with explained_as(ProviderError, f"{self._records.directory}: the records of {key} cannot be removed"):
            await self._threads.run(self._records.remove, key)

    async def _submitted(self, key: str, adopted: Adopted) -> Submitted:
        view = await self._observer.observe({key: _handle(adopted)})
        return Submitted(_handle(adopted), view.observations.get(key), existed=True)


def _of_keys(handles: Mapping[str, Handle]) -> Mapping[str, Handle]:
    return {key: handle for key, handle in handles.items() if is_key(key)}


def _handle(adopted: Adopted) -> Handle:
    return {"id": adopted.job_id}
