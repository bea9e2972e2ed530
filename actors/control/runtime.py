"""The operations of a runtime, for the command line, the HTTP API, the feed and programs that embed it.

Each subject is an attribute with a class of its own. An operation either does what its docstring says, durably, or
raises :class:`~actors.jobs.refusal.Refused` (the request is not possible) or :class:`~actors.store.errors.StoreError`
(it could not be stored); in both cases nothing was changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Unpack

from actors.access.sessions import Access
from actors.control.approvals import Approvals
from actors.control.context import Context
from actors.control.dead_letters import DeadLetters
from actors.control.deliveries import Deliveries
from actors.control.entry_points import EntryPoints
from actors.control.event_reader import EventReader, Events
from actors.control.health import HealthCheck
from actors.control.jobs import Jobs
from actors.control.log_follower import Piece
from actors.control.logs import LogReader, Recheck
from actors.control.metrics import Metrics
from actors.control.notifications import Notifications
from actors.control.providers import Providers
from actors.control.queue import Queue
from actors.control.removing import Removing
from actors.control.restore import Restore
from actors.control.rules import Rules
from actors.control.selections import Selections
from actors.control.series import Series
from actors.control.tree import Tree
from actors.jobs.comparing import Goal
from actors.jobs.records import ApprovalRequest, Job, JobRequest
from actors.jobs.views import EventFilters
from actors.kernel import Bus, Registry
from actors.metrics import Tallies
from actors.net.client_faults import ClientFaults

Config = Callable[[], list[dict[str, Any]]]
"""The settings in effect: ``key``, ``value`` with secrets masked, ``source``."""

NOT_RUNNING = "no supervisor runs here, and this needs one; start one: greenroom run"


class _Subjects:
    """The subjects that rows can answer, with a supervisor and without one."""

    def __init__(self, context: Context, config: Config, best: Mapping[str, Goal], entry_points: EntryPoints) -> None:
        self.config = config
        self.queue = Queue(context)
        self.approvals = Approvals(context)
        self.rules = Rules(context)
        self.notifications = Notifications(context)
        self.series = Series(context, best)
        self.entry_points = entry_points


class Reading(_Subjects):
    """What can be answered from the rows alone, when no supervisor runs (C4).

    Its ledger refuses to write, so every operation that would change something is refused.
    """

    def __init__(self, context: Context, config: Config, best: Mapping[str, Goal], entry_points: EntryPoints) -> None:
        super().__init__(context, config, best, entry_points)
        self.client_faults = ClientFaults()
        self.event_reader = EventReader(context.ledger, Bus())
        self.jobs = Jobs(context, self.event_reader)
        self.log_reader = LogReader(context, self.jobs)


class Runtime(_Subjects):
    """A running runtime: its subjects, and short names for the operations that most programs need.

    ``recheck``: lets the poller ask about a job now. ``unhealthy``: reasons for health that the actors report
    themselves. ``kinds``: the kind of each configured provider. ``best``: the configured rules for the best values of
    series. ``entry_points``: what jobs may name instead of a command. ``tallies``: what is counted while the runtime
    runs.
    """

    def __init__(
        self,
        context: Context,
        config: Config,
        *,
        bus: Bus,
        registry: Registry,
        tallies: Tallies,
        retention_days: float,
        kinds: Mapping[str, str],
        best: Mapping[str, Goal],
        entry_points: EntryPoints,
        recheck: Recheck,
        unhealthy: Callable[[], Iterable[str]],
    ) -> None:
        super().__init__(context, config, best, entry_points)
        self.context = context
        self.tallies = tallies
        self.client_faults = tallies.client_faults
        self.event_reader = EventReader(context.ledger, bus, tallies.subscribed)
        self.jobs = Jobs(context, self.event_reader, retention_days)
        self.removing = Removing(context)
        self.selections = Selections(context, self.jobs, self.removing)
        self.log_reader = LogReader(context, self.jobs, recheck)
        self.deliveries = Deliveries(context, tallies, recheck)
        self.dead_letters = DeadLetters(registry)
        self.access = Access(context.ledger, context.clock)
        self.tree = Tree(registry)
        self.providers = Providers(context, kinds)
        self.restore = Restore(context)
        self.health = HealthCheck(context, self.tree, self.providers, self.notifications, unhealthy)
        self.metrics = Metrics(context, registry, self.tree, self.health, tallies)

    async def submit(self, request: JobRequest) -> Job:
        """:meth:`Jobs.submit`: accept one job. It is stored when this returns. Raises :class:`Refused`."""
        return await self.jobs.submit(request)

    async def submit_sweep(self, request: JobRequest, matrix: Mapping[str, Any]) -> list[Job]:
        """:meth:`Jobs.submit_sweep`: accept a job for each combination of the values in ``matrix``."""
        return await self.jobs.submit_sweep(request, matrix)

    async def wait(self, job_id: str) -> Job:
        """:meth:`Jobs.wait`: wait until a job has ended and return it."""
        return await self.jobs.wait(job_id)

    async def cancel(self, job_id: str, *, by: str | None = None, level: str = "admin") -> Job:
        """:meth:`Jobs.cancel`: cancel a job."""
        return await self.jobs.cancel(job_id, by=by, level=level)

    async def approve(self, approval_id: str, *, by: str, level: str = "admin") -> ApprovalRequest:
        """:meth:`Approvals.approve`: grant a request."""
        return await self.approvals.approve(approval_id, by=by, level=level)

    async def reject(self, approval_id: str, *, by: str, reason: str = "", level: str = "admin") -> ApprovalRequest:
        """:meth:`Approvals.reject`: reject a request."""
        return await self.approvals.reject(approval_id, by=by, reason=reason, level=level)

    def events(self, *, after: int | None = None, **filters: Unpack[EventFilters]) -> Events:
        """:meth:`EventReader.events`: the events after number ``after`` (None: from now on)."""
        return self.event_reader.events(after=after, **filters)

    def logs(
        self, job_id: str, cursor: str | None = None, *, follow: bool = False, attempt: int | None = None
    ) -> AsyncIterator[Piece]:
        """:meth:`LogReader.read`: a job's output."""
        return self.log_reader.read(job_id, cursor, follow=follow, attempt=attempt)
