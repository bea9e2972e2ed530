"""A provider for a batch service that runs commands and knows each job by an id that we choose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
from batch_service import AlreadyThere, BatchJob, BatchService, connect

from actors import JobRequest
from actors.jobs.records import Capacity, Observation, Phase
from actors.providers import errors
from actors.providers.base import (
    ABSENT,
    CancelAck,
    Capabilities,
    Found,
    Handle,
    Idempotency,
    Listing,
    LogChunk,
    Nudge,
    Prepared,
    Submitted,
    View,
)
from actors.providers.deliveries import NoDeliveries
from actors.providers.registry import ProviderFactory

PHASES = {"waiting": Phase.QUEUED, "running": Phase.RUNNING, "done": Phase.SUCCEEDED, "failed": Phase.FAILED,
          "stopped": Phase.CANCELED}  # fmt: skip


@attrs.frozen
class BatchOptions:
    """The lab's batch service. ``address``: where it is. ``slots``: its CPUs for our jobs; None: not counted."""

    address: str = "http://batch.lab.example"
    slots: int | None = None


class BatchProvider(NoDeliveries):
    """Each job is one job of the service, with our submission key as its id."""

    capabilities = Capabilities(submit_idempotency=Idempotency.CLIENT_ID, listing=Listing.ALL)

    def __init__(self, options: BatchOptions, name: str, service: BatchService | None = None) -> None:
        self.name, self._slots, self._service = name, options.slots, service or connect(options.address)

    def capacity(self) -> Capacity:
        return Capacity(cpus=self._slots)

    def prepare(self, request: JobRequest) -> Prepared:
        if request.command is None:
            raise errors.Invalid("command is missing: the batch service runs commands only", field="command")
        if request.spec:
            field = f"spec.{min(request.spec)}"
            raise errors.Invalid(f"{field} is unknown: the batch service has no options; leave it out", field=field)
        return Prepared({"command": list(request.command), "env": dict(request.env)})

    async def check(self) -> Mapping[str, Any]:
        with translated():
            return {"jobs": len(await self._service.jobs())}

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        env = {**prepared.body["env"], "GREENROOM_JOB_ID": context["job_id"]}
        with translated():
            try:
                await self._service.start(key, prepared.body["command"], env)
            except AlreadyThere:
                return Submitted({"id": key}, existed=True)
        return Submitted({"id": key})

    async def find(self, key: str, token: str) -> Found:
        with translated():  # the service handles requests in their order: what is not there now cannot come later
            return Submitted({"id": key}) if key in await self._service.jobs() else ABSENT

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        with translated():
            jobs = await self._service.jobs()
        seen = {key: observation(jobs[handle["id"]]) for key, handle in handles.items() if handle.get("id") in jobs}
        return View(seen, absent=frozenset(handles) - frozenset(seen))

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        with translated():
            job = (await self._service.jobs()).get(handle.get("id", ""))
            if job is None:
                return CancelAck.UNKNOWN_JOB
            if job.ended_at is not None:
                return CancelAck.ALREADY_TERMINAL
            await self._service.stop(handle["id"])
        return CancelAck.ACCEPTED

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        offset = int(cursor or 0)
        with translated():
            data = await self._service.output(handle["id"], offset)
        if data:
            yield LogChunk(data, str(offset + len(data)))

    async def forget(self, key: str, handle: Handle) -> None:
        with translated():
            await self._service.delete(handle.get("id", ""))

    async def watch(self, nudge: Nudge) -> None:
        """The service sends no news."""

    async def aclose(self) -> None:
        await self._service.aclose()


def observation(job: BatchJob) -> Observation:
    """Return the state of a job in the terms that all providers share. An unknown state is UNKNOWN, not a guess."""
    return Observation(
        PHASES.get(job.status, Phase.UNKNOWN), job.status, started_at=job.started_at, completed_at=job.ended_at,
        exit_code=job.exit_code,
    )  # fmt: skip


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors of the service: either the call surely had no effect, or this is not known."""
    try:
        yield
    except ConnectionRefusedError as error:
        raise errors.Unavailable(f"the batch service cannot be reached: {error}") from error
    except (ConnectionError, TimeoutError) as error:
        raise errors.OutcomeUnknown(f"the batch service did not answer: {error}") from error


FACTORY = ProviderFactory(BatchOptions, lambda name, options, root, now: BatchProvider(options, name))
