"""The provider `ray`: runs jobs on a Ray cluster, over the Jobs REST API of its head."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

from actors.jobs.records import Capacity, JobRequest, Observation, Phase
from actors.providers.abilities import ListedJob
from actors.providers.base import (
    ABSENT,
    UNKNOWABLE,
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
from actors.providers.errors import Protocol, ProviderError
from actors.providers.log_notices import offset_of, rest_of
from actors.providers.ray.cluster import Cluster
from actors.providers.ray.logs import Follower
from actors.providers.ray.options import RayOptions
from actors.providers.ray.preparing import prepare_request
from actors.providers.ray.statuses import ENDED, Stop, has_ended, observation_of
from actors.providers.ray.submitting import Submitter, is_greenrooms, is_ours
from actors.providers.shared_outputs import SharedOutputs
from actors.providers.submission_notes import SubmissionNotes

if TYPE_CHECKING:
    import httpx

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_MOST_STOPS = 10_000
_LONGEST_FACT = 200
_FARTHEST_WEST = timedelta(hours=12)

CAPABILITIES = Capabilities(
    submit_idempotency=Idempotency.CLIENT_ID,
    listing=Listing.ALL,
    cancel_pending_reliable=False,
    streams_logs=True,
)


def submission_id(key: str) -> str:
    """Return the id of the Ray job for ``key``. It is the same for the same key.

    For an id that does not fit into a path, Ray answers 500 and keeps a record that can be neither read nor deleted.
    """
    if _KEY.fullmatch(key):
        return key
    return f"key-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def session_began(name: str) -> datetime | None:
    """Return the latest time at which the session of this name can have begun, or None if the name does not say.

    The name has the head's local time (``session_2026-01-31_09-30-00_...``) in an unknown time zone, at most 12 h west.
    """
    written = re.match(r"session_(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)", name)
    try:
        local = None if written is None else datetime.strptime(f"{written[1]} +0000", "%Y-%m-%d_%H-%M-%S %z")
    except ValueError:
        return None
    return None if local is None else local + _FARTHEST_WEST


class RayProvider(NoDeliveries):
    """A Ray cluster. ``root`` is a folder of its own, for notes of submissions; None: they are not kept in files.

    ``name``: its name in the configuration. ``transport`` is for tests.

    A job is known by its id, and its owner by the token in its metadata. The handle has the id and the name of the
    head's ``session`` in which the job was accepted.
    """

    def __init__(
        self,
        options: RayOptions,
        root: Path | None = None,
        name: str = "ray",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.capabilities = CAPABILITIES
        self._options = options
        self._now = now
        self._cluster = Cluster(name, options, transport)
        self._outputs = SharedOutputs(Path(options.shared_dir, "jobs") if options.shared_dir else None)
        self._submitter = Submitter(self._cluster, options, self._outputs, SubmissionNotes(root))
        self._stops: dict[str, Stop] = {}

    def capacity(self) -> Capacity:
        """Return what the cluster has for our jobs, as configured."""
        return Capacity(self._options.cpus, self._options.gpus, self._options.memory)

    def prepare(self, request: JobRequest) -> Prepared:
        """Check ``request``. Raises :class:`Invalid` naming every fault."""
        return prepare_request(request, self._options)

    async def check(self) -> Mapping[str, Any]:
        """What answers at the address. Raises :class:`Auth` or :class:`Unavailable`."""
        version = await self._cluster.version()
        facts = {name: _short(version.get(name)) for name in ("ray_version", "session_name")}
        return {"address": self._options.address, **facts, **attrs.asdict(self.capacity())}

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Submit a job, its directory first. Raises :class:`Conflict` where another's job has the id."""
        job_id = submission_id(key)
        if "previous_key" in context:
            context = {**context, "previous_key": submission_id(context["previous_key"])}
        session, existing = await self._submitter.submit(job_id, token, prepared.body, context)
        handle = _handle(job_id, session)
        if existing is None:
            return Submitted(handle, Observation(Phase.QUEUED, raw_status="PENDING"))
        return Submitted(handle, await self._observation(job_id, existing), existed=True)

    async def find(self, key: str, token: str) -> Found:
        """Look for the job of ``key``. ``UNKNOWABLE``: the head was restarted since, or the job is somebody else's."""
        job_id = submission_id(key)
        session = await self._cluster.session()
        found = await self._cluster.job(job_id)
        if found is None:  # in the session that is read now, or in one before it
            return ABSENT if await self._submitter.is_surely_absent(job_id) else UNKNOWABLE
        if not (is_ours(found, token) if token else is_greenrooms(found)):
            return UNKNOWABLE
        return Submitted(_handle(job_id, session), await self._observation(job_id, found), existed=True)

    async def records_since(self) -> datetime | None:
        """Return since when the head's present session runs, or None if its name does not say."""
        return session_began(await self._cluster.session())

    async def list_jobs(self) -> list[ListedJob]:
        """Return the jobs of any Greenroom that have not ended."""
        listed = await self._cluster.jobs()
        ours = {job_id: one for job_id, one in listed.items() if is_greenrooms(one) and not has_ended(one)}
        return [ListedJob(job_id, job_id) for job_id in ours]

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Observe all of these jobs with one request, and with a second one if some are missing."""
        ids = {key: _id_of(key, handle) for key, handle in handles.items()}
        await self._submitter.drop(list(ids.values()))
        listed = await self._listed(list(ids.values()))
        here = [job_id for job_id in ids.values() if job_id in listed]
        left = await self._outputs.left({job_id: has_ended(listed[job_id]) for job_id in here})
        observations: dict[str, Observation] = {}
        failed: dict[str, str] = {}
        for key, job_id in ids.items():
            if job_id not in listed:
                continue
            try:
                observations[key] = self._seen(job_id, listed[job_id], left)
            except Protocol as error:
                failed[key] = str(error)
        missing = {key: handle for key, handle in handles.items() if ids[key] not in listed}
        denied, absent = await self._missing(missing)
        return View(observations | denied, absent, failed)

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Ask for the end of a job. For a waiting job this is not reliable, so the runtime asks again (B14)."""
        job_id = _id_of(key, handle)
        # Looked at first: for a moment after a job's end Ray still says that there was something to stop.
        found = await self._cluster.job(job_id)
        stopped = False if found is not None and has_ended(found) else await self._cluster.stop(job_id)
        if stopped is None:
            return CancelAck.UNKNOWN_JOB
        self._remember_stop(job_id, Stop.ACCEPTED if stopped else Stop.TOO_LATE)
        return CancelAck.ACCEPTED if stopped else CancelAck.ALREADY_TERMINAL

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        """Yield the job's output from ``cursor`` (a number of bytes) to its present end. Ray always sends all of it."""
        offset = offset_of(cursor)
        log = await self._cluster.log(_id_of(key, handle))
        most = self._options.log_bytes
        for chunk in rest_of(log, offset, most):
            yield chunk
        if len(log) > most:
            raise Protocol(f"the output has {len(log)} bytes; only the first {most} are read (log_bytes)")

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> None:
        """Send the job's output into ``into`` as it is written, from ``cursor`` on, each byte once, until the job ends.

        A connection that breaks, or a head that is not reachable, is waited out. The channel stays open.
        """
        job_id = _id_of(key, handle)

        async def has_ended() -> bool:
            found = await self._cluster.job(job_id)
            return found is None or (await self._observation(job_id, found)).phase in ENDED

        await Follower(self._cluster, self._options.address, job_id, has_ended, into, offset_of(cursor)).run()

    async def forget(self, key: str, handle: Handle) -> None:
        """Delete the ended job at Ray and its directory. Raises :class:`Conflict` for one that has not ended."""
        job_id = _id_of(key, handle)
        await self._cluster.delete(job_id)
        await self._submitter.drop([job_id])
        await self._outputs.remove(job_id)
        self._stops.pop(job_id, None)

    async def settled(self, key: str) -> None:
        """Remove what is noted of an uncertain job: a person says that nothing of it runs any more."""
        await self._submitter.drop([submission_id(key)])

    async def watch(self, nudge: Nudge) -> None:
        """Return at once: Ray sends no news by itself."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the connections. The jobs go on."""
        await self._cluster.aclose()

    async def _listed(self, ids: list[str]) -> Mapping[str, Mapping[str, Any]]:
        if not ids:
            await trio.lowlevel.checkpoint()
            return {}
        if len(ids) > 1:
            return await self._cluster.jobs()
        found = await self._cluster.job(ids[0])
        return {} if found is None else {ids[0]: found}

    async def _missing(self, handles: Mapping[str, Handle]) -> tuple[dict[str, Observation], frozenset[str]]:
        """Return what it means that the head does not know these jobs (B17): they are lost for a reason, or only
        absent.

        Ray deletes only jobs that have ended. So if the head is still in the session in which it accepted the job,
        nothing of the job runs any more. A head that was restarted has forgotten everything, and one that was killed
        may have left programs running.
        """
        session = await self._cluster.session() if handles else ""
        denied: dict[str, Observation] = {}
        for key, handle in handles.items():
            if not isinstance(accepted_in := handle.get("session"), str) or not accepted_in:
                continue
            if accepted_in == session:
                reason, proven = "its record was deleted at the cluster, so it had ended; how is not known", True
            else:
                proven = self._options.head_restart_ends_jobs
                reason = "the Ray head was restarted and has forgotten it"
                reason += "" if proven else "; its program may still run on a node"
            denied[key] = Observation(
                Phase.LOST, "not found", self._now(), error=reason, proven_dead=proven,
                interrupted=None if accepted_in == session else "the Ray head was restarted",
            )  # fmt: skip
        return denied, frozenset(handles.keys() - denied.keys())

    async def _observation(self, job_id: str, details: Mapping[str, Any]) -> Observation:
        return self._seen(job_id, details, await self._outputs.left({job_id: has_ended(details)}))

    def _seen(self, job_id: str, details: Mapping[str, Any], left: Mapping[str, Mapping[str, Any]]) -> Observation:
        seen = observation_of(details, self._stops.get(job_id, Stop.NONE), self._now())
        return attrs.evolve(seen, **left.get(job_id, {}))

    def _remember_stop(self, job_id: str, stop: Stop) -> None:
        self._stops[job_id] = max(stop, self._stops.get(job_id, Stop.NONE))
        if len(self._stops) > _MOST_STOPS:
            del self._stops[next(iter(self._stops))]


def _short(value: object) -> str | None:
    return None if value is None else str(value)[:_LONGEST_FACT]


def _handle(job_id: str, session: str) -> Handle:
    return {"id": job_id, "session": session}


def _id_of(key: str, handle: Handle) -> str:
    """Return the job id in the handle. An id that is not ours must not become another path."""
    found = handle.get("id")
    if found is None:
        return submission_id(key)
    if not isinstance(found, str) or not _KEY.fullmatch(found):
        raise ProviderError(f"the handle of {key} holds no id of a Ray job")
    return found
