"""The protocol of a provider. A provider runs jobs: this machine, a cluster, or Replicate.

A provider talks to the outside and does nothing else: it has no retries, no clock, no rows and takes no decisions. Its
methods take their deadline from the caller's cancel scope and raise only kinds of
:class:`~actors.providers.errors.ProviderError`. Its abilities are data (:class:`Capabilities`), so that the runtime
reads a table instead of checking classes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import attrs
from attrs.validators import gt

from actors.jobs.records import Capacity, JobRequest, Observation
from actors.providers.deliveries import DeliveryReading, Rejected

Handle = Mapping[str, Any]
"""A provider's own small JSON object for a job that it has; opaque to the runtime and stored with the job."""


class Idempotency(StrEnum):
    """How a lost answer to a submission can be settled."""

    CLIENT_ID = "client_id"  # we choose the id: the job is looked up by it
    TOKEN_SEARCH = "token_search"  # the token travels in the job: list and match  # noqa: S105
    NONE = "none"  # the provider cannot tell: a person must


class Listing(StrEnum):
    """How many jobs one request can return."""

    ALL = "all"
    SINCE = "since"
    PAGED = "paged"
    NONE = "none"


class Push(StrEnum):
    """How the provider reports a change without being asked."""

    NONE = "none"
    WEBHOOK = "webhook"
    LOCAL_EVENT = "local_event"


class CancelAck(StrEnum):
    """The answer to a cancel request. Only an observation ends a job, never this answer."""

    ACCEPTED = "accepted"
    ALREADY_TERMINAL = "already_terminal"
    TOO_LATE = "too_late"
    UNKNOWN_JOB = "unknown_job"
    NOT_SUPPORTED = "not_supported"


class LostJobProof(StrEnum):
    """The proof that nothing of a job with a killed shim runs on this machine any more (B13, B17)."""

    CGROUP = "cgroup"  # each job has a control group of its own
    SUBREAPER = "subreaper"  # the supervisor receives what is left behind, for as long as it is not restarted
    NONE = "none"  # nothing: such a job is uncertain until a person settles it


@attrs.frozen
class Capabilities:
    """What a provider can do, as data: only what decides something, in the runtime or in the conformance suite.

    ``submit_idempotency``: how a lost answer to a submission can be settled: the job is looked up by an id that we
    choose (``client_id``), by a token in it (``token_search``), or not at all (``none``). ``listing``: how many jobs
    one request returns. ``page_size``: jobs that one request returns. ``cancel_pending_reliable``: a job that has not
    begun is surely ended by a cancel request. ``streams_logs``: the output of a running job comes by ``follow``.
    ``push``: how the provider reports a change by itself. ``survives_our_restart``: its jobs go on when the supervisor
    ends. ``lost_job_proof``: of a provider that runs its jobs on this machine itself: what proves that nothing of a job
    runs any more. ``deadline_grace``: seconds after a job's ``max_runtime`` at which nothing of it runs any more; None:
    that is not certain. ``concurrent_calls``: dispatches at once. ``separate_limits``: it has a queue of its own, so
    that its jobs are limited apart from all others (B10).
    """

    submit_idempotency: Idempotency = Idempotency.CLIENT_ID
    listing: Listing = Listing.ALL
    page_size: int = 100
    cancel_pending_reliable: bool = True
    streams_logs: bool = False
    push: Push = Push.NONE
    survives_our_restart: bool = True
    lost_job_proof: LostJobProof | None = None
    deadline_grace: float | None = None
    concurrent_calls: int = 4
    separate_limits: bool = False

    @property
    def ends_are_local_events(self) -> bool:
        """Whether the end of a job is noticed here without asking, so that no timed polling is needed (B6)."""
        return self.push is Push.LOCAL_EVENT


@attrs.frozen
class Prepared:
    """A request that was checked and translated into the provider's own terms, ready to be sent under any key."""

    body: Mapping[str, Any]


@attrs.frozen
class Submitted:
    """The provider accepted the job now, or had already accepted it under the same key (``existed``)."""

    handle: Handle
    observation: Observation | None = None
    existed: bool = False


class Absent:
    """The provider certainly has no job with this key."""


class Unknowable:
    """The provider cannot tell whether it has a job with this key."""


ABSENT = Absent()
UNKNOWABLE = Unknowable()
Found = Submitted | Absent | Unknowable


@attrs.frozen
class View:
    """The result of one look at many jobs, by submission key.

    A key in ``absent`` certainly has no job there; a key that is in neither was not seen, which means something only if
    ``complete`` is true. ``failed`` has the reasons for jobs that could not be read.
    """

    observations: Mapping[str, Observation] = attrs.field(factory=dict)
    absent: frozenset[str] = frozenset()
    failed: Mapping[str, str] = attrs.field(factory=dict)
    complete: bool = True


@attrs.frozen
class LogChunk:
    """A piece of a job's output, and the cursor from which the next piece is read."""

    data: bytes
    cursor: str


Nudge = Callable[[str], None]
"""Called with a submission key: "look at that job now". Synchronous, never blocks, never raises."""


class Provider(Protocol):
    """Runs jobs. One object for each configured provider, used by one runtime at a time."""

    name: str
    capabilities: Capabilities

    def capacity(self) -> Capacity:
        """The whole capacity, by resource; the runtime compares it with its own rows (B10)."""

    def prepare(self, request: JobRequest) -> Prepared:
        """Check ``request`` and translate it; pure. Raises :class:`Invalid` with the field and what to change."""

    async def check(self) -> Mapping[str, Any]:
        """Facts about the account or machine, to check that it works. Raises :class:`Auth` or :class:`Unavailable`."""

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Submit a job under ``key``; the same key again returns the existing job, and never submits a second one.

        ``context`` has ``job_id``, ``correlation_id`` and ``attempt`` (1 at first) for the job's environment, labels or
        headers; ``previous_key`` if an attempt before this one ended; for a job that waited for others ``parents``,
        what it gets to know of them (a JSON array); and ``home``, the state directory.
        """

    async def find(self, key: str, token: str) -> Found:
        """What the provider knows under ``key``, after a lost answer and after a crash (B13).

        ``token``: "" if it was lost, too, together with everything after a backup (F3). Then only ``key`` decides; a
        provider that cannot find a job by its key must have another ``submit_idempotency`` than ``CLIENT_ID``.
        """

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """The state of the jobs with these keys, in as few requests as the provider allows."""

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Ask for the end of a job. The runtime repeats it until an observation shows an end, so it must be
        idempotent.
        """

    def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        """The job's output from ``cursor`` (None: the beginning) to its present end."""

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> DeliveryReading | Rejected:
        """Begin to read a delivery; pure. Returns :class:`Rejected` if its headers alone show that it is not valid.

        ``headers`` have lower-case names; ``secrets`` are all that may be in use.
        """

    async def delivery_secrets(self, *, fresh: bool = False) -> Sequence[str]:
        """The secrets with which deliveries are signed; ``fresh``: ask again, because they may have been rotated."""

    async def forget(self, key: str, handle: Handle) -> None:
        """Remove what the provider keeps of an ended job. Idempotent.

        Raises :class:`Conflict` while it is still needed, such as output that is being copied.
        """

    async def watch(self, nudge: Nudge) -> None:
        """Run until cancelled, and call ``nudge`` whenever a job may have changed. A provider that cannot do this
        returns.
        """

    async def aclose(self) -> None:
        """Release connections and descriptors. Jobs continue if the provider survives our restart."""


def _seconds(default: float) -> float:
    return attrs.field(default=default, validator=gt(0))


@attrs.frozen
class CallDeadlines:
    """The most seconds that each call may take. A watch has none: it runs until cancelled.

    ``page``: how much longer ``observe`` may take for each page of jobs after the first.
    """

    check: float = _seconds(15.0)
    submit: float = _seconds(60.0)
    find: float = _seconds(30.0)
    observe: float = _seconds(20.0)
    page: float = _seconds(1.0)
    cancel: float = _seconds(30.0)
    logs: float = _seconds(30.0)
    delivery_secrets: float = _seconds(15.0)
    forget: float = _seconds(30.0)
    settled: float = _seconds(30.0)
    check_requests: float = _seconds(15.0)
    stored_bytes: float = _seconds(10.0)
    records_since: float = _seconds(15.0)
    list_jobs: float = _seconds(30.0)
    aclose: float = _seconds(5.0)


def describe_capacity(capacity: Capacity) -> str:
    """``capacity`` in words, for messages: ``2 cpus, 0 gpus``; unbounded resources are left out."""
    names = ("cpus", "gpus", "memory")
    parts = [f"{getattr(capacity, name)} {name}" for name in names if getattr(capacity, name) is not None]
    return ", ".join(parts) or "unbounded"
