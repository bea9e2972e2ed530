"""The supervision tree on one screen, and the only place where the parts are put together.

    async with open_runtime(Settings.default(state_dir=path)) as runtime:
        job = await runtime.submit(JobRequest(provider="local", command=["python", "train.py"], user_id="ana"))
        job = await runtime.wait(job.job_id)

The root is ``rest_for_one``: without the store nothing else can work, without the actors the edges would only say so.
Leaving the block stops the edges, the actors and the store in that order. Jobs that were handed over go on running;
the next start finds them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any

import attrs
import trio
from sqlalchemy import Engine

from actors.access.access import Access
from actors.control import Health
from actors.expiry import Expiry
from actors.expiry import wakes as wakes_expiry
from actors.jobs.approval_rules import DEFAULT_RULES
from actors.jobs.records import Event
from actors.jobs.retention import PruneResult, kept_since
from actors.kernel import ActorRef, Bus, Clock, Envelope, Mailbox, Registry, SystemClock, actor_spec
from actors.ledger import Ledger, Sources, reading
from actors.ledger.provider_views import ProviderView, provider_views, unwell
from actors.leftovers import Leftovers
from actors.metrics import Counted, Tallies, TimedExecutor, scrape, timed
from actors.operations import Operations
from actors.poller import Look, Poller, Refresh, Wanted
from actors.providers.base import Provider
from actors.providers.guard import GuardedProvider
from actors.providers.registry import create
from actors.pruner import Pruner, prune
from actors.pushes import Pushes
from actors.ruling import Ruling
from actors.scheduler import Quiesce, Scheduler
from actors.scheduler import wakes as wakes_scheduler
from actors.settings import Settings
from actors.settings.showing import effective
from actors.state_directory import DATABASE, StateDirectory, StateDirectoryError
from actors.store import Executor, InlineExecutor, Store, ThreadExecutor
from actors.tree import tree_of, troubled
from supervision import Backoff, ChildSpec, Supervisor, open_supervisor

GRACE = 10.0
"""Seconds that hand-overs in flight have to end in when the runtime stops (C1)."""

_ACTORS_BACKOFF = Backoff(initial=0.2, maximum=10.0, max_failures=8)
_READERS = 4


@attrs.frozen
class Parts:
    """What a runtime is made of where it is not the usual: tests and simulations give their own.

    ``in_memory``: the store lives in memory and no state directory is touched; ``engine``: there already, kept by
    somebody else. ``executor``: where store work runs. ``backoff_seed``: draws the delays before restarts.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    executor: Executor | None = None
    in_memory: bool = False
    engine: Engine | None = None
    backoff_seed: int | None = None
    sources: Sources = attrs.field(factory=Sources)
    providers: Sequence[Provider] | None = None
    edges: Callable[[RunningRuntime], Sequence[ChildSpec]] = lambda _runtime: ()


class RunningRuntime(Counted, Pushes, Ruling):
    """A runtime that runs: the operations of :class:`~actors.control.Runtime`, its tree and its health."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.clock = parts.clock
        self.bus = Bus()
        self.registry = Registry()
        self.leftovers = Leftovers(self.registry)
        self.tallies = Tallies()
        self._parts = parts
        executor = parts.executor or (InlineExecutor() if parts.in_memory else ThreadExecutor(1))
        self._readers = executor if parts.in_memory or parts.executor else ThreadExecutor(_READERS)
        path = None if parts.in_memory else settings.state_dir / DATABASE
        self._store = Store(
            path, executor=TimedExecutor(executor, self.tallies.commits), now=parts.clock.now, engine=parts.engine
        )
        rules = (*(DEFAULT_RULES if settings.approvals.default_rules else ()), *settings.approvals.rules)
        ledger = Ledger(
            self._store, publish=self._publish, limits=settings.limits, approvals=settings.approvals,
            rules=rules, sources=parts.sources,
        )  # fmt: skip
        super().__init__(ledger, guarded_providers(settings, parts), self.bus, parts.clock)
        self.access = Access(ledger, parts.clock)
        self._scheduler = self._actor("scheduler", wakes_scheduler)
        self._wanted = Wanted()
        self._poller = self._actor("poller", self._wanted.note)
        self._expiry = self._actor("expiry", wakes_expiry)
        self._pruner = self.registry.actor("pruner")
        self._poller_now: Poller | None = None
        self._supervisor: Supervisor | None = None
        self._started_at: datetime | None = None

    # The tree.

    def children(self) -> list[ChildSpec]:
        """What the root supervises, in start order."""
        backoff = attrs.evolve(_ACTORS_BACKOFF, seed=self._parts.backoff_seed)
        self._actors = Supervisor(
            [
                actor_spec(self._scheduler, self._make_scheduler, shutdown=GRACE),
                actor_spec(self._poller, self._make_poller),
                actor_spec(self._expiry, self._make_expiry),
                actor_spec(self._pruner, self._make_pruner, on_give_up="park"),  # jobs go on without housekeeping
            ],
            name="actors", strategy="one_for_one", max_restarts=5, period=60.0, backoff=backoff,
        )  # fmt: skip
        children = [ChildSpec("store", self._run_store), ChildSpec("actors", self._actors.run)]
        edges = [attrs.evolve(edge, on_give_up="park") for edge in self._parts.edges(self)]
        if edges:
            below = Supervisor(edges, name="edges", max_restarts=5, period=60.0, backoff=backoff).run
            children.append(ChildSpec("edges", below))
        return children

    async def _run_store(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self._store.open(self._readers)
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await self._store.aclose()

    def _make_scheduler(self) -> Scheduler:
        return timed(Scheduler(self.ledger, self._providers, self.clock), "scheduler", self.tallies)

    def _make_poller(self) -> Poller:
        self._poller_now = Poller(
            self.ledger, self._providers, self.clock, self.settings.poller, self.settings.webhook_urls(),
            self._parts.sources.jitter, self._wanted,
        )  # fmt: skip
        return timed(self._poller_now, "poller", self.tallies, cycle="cycle")

    def _make_expiry(self) -> Expiry:
        return timed(Expiry(self.ledger, self.clock, self.settings.expiry), "expiry", self.tallies)

    def _make_pruner(self) -> Pruner:
        return Pruner(self.ledger, self._providers, self.clock, self.settings.retention_days)

    def _actor(self, name: str, wanted: Callable[[Event], bool]) -> ActorRef:
        """A reference whose mailbox absorbs wakes of the same kind: one "look now" says what a hundred say."""
        wakes = Mailbox(
            capacity=64, overflow="drop_newest", coalesce=lambda message: isinstance(message, (Event, Look)) or None
        )
        ref = self.registry.actor(name, wakes)
        self.bus.subscribe(Event, into=ref, where=wanted)
        return ref

    def _publish(self, event: Event) -> None:
        self.tallies.note(event)
        self.bus.publish(Envelope(event, event.correlation_id, sender="ledger"))

    # Life.

    def began(self, supervisor: Supervisor) -> None:
        """Every child is ready."""
        self._supervisor = supervisor
        self._started_at = self.clock.now()

    async def quiesce(self) -> None:
        """Claim no more, and let hand-overs in flight end for a bounded grace (C1)."""
        if self._scheduler.state == "running":
            await self._scheduler.call(Quiesce())

    async def close_providers(self) -> None:
        """Release what the providers hold; jobs go on."""
        for provider in self._providers.values():
            await provider.aclose()

    async def prune(self, *, dry_run: bool = False) -> PruneResult:
        """Remove now the jobs that were kept long enough, or only say how many would go."""
        before = kept_since(self.clock.now(), self.settings.retention_days)
        return await prune(self.ledger, self._providers, before, dry_run=dry_run)

    async def restart_actor(self, name: str) -> None:
        """Stop one of the actors and start it afresh, by hand: spends nothing of its budget."""
        await self._actors.stop_child(name)
        await self._actors.restart_child(name)

    # Looking.

    @property
    def started_at(self) -> datetime:
        """When this runtime became ready."""
        assert self._started_at is not None
        return self._started_at

    @property
    def is_polling_active(self) -> bool:
        """Whether timed polling is on (B6)."""
        return self._poller_now is not None and self._poller_now.is_polling_active

    async def refresh_polling_state(self) -> bool:
        """Decide anew whether timed polling is on, after a change of configuration (B6)."""
        return bool(await self._poller.call(Refresh()))

    def tree(self) -> list[dict[str, Any]]:
        """The supervision tree as plain data."""
        if self._supervisor is None:
            return []
        return tree_of(self._supervisor.children(), {ref.name: ref for ref in self.registry})

    async def providers(self) -> list[ProviderView]:
        """How each provider stands: capabilities, breaker, gate."""
        kinds = {name: one.kind for name, one in self.settings.providers.items()}
        return await self.ledger.read(provider_views(self._providers, kinds, self.clock.now()))

    async def metrics(self) -> bytes:
        """The state as Prometheus reads it."""
        children = self._supervisor.children() if self._supervisor is not None else []
        healthy = (await self.health()).status == "ok"
        uptime = (self.clock.now() - self.started_at).total_seconds()
        return await scrape(
            self.ledger, self.registry, children, self._providers, self.tallies, healthy=healthy, uptime=uptime
        )

    def config(self) -> list[dict[str, Any]]:
        """The settings that hold, secrets masked."""
        return [row._asdict() for row in effective(self.settings)]

    async def health(self) -> Health:
        """Whether all is well."""
        children = self._supervisor.children() if self._supervisor is not None else []
        reasons = [*self._store.troubles, *troubled(children), *unwell(self._providers)]
        uncertain = tuple(await self.ledger.read(reading.uncertain))
        if uncertain:
            reasons.append(f"{len(uncertain)} job(s) are uncertain: settle them")
        return Health("degraded" if reasons else "ok", tuple(reasons), uncertain)


def guarded_providers(settings: Settings, parts: Parts) -> dict[str, GuardedProvider]:
    """The providers of ``settings``, or those of ``parts``, each behind its guard."""
    made = parts.providers
    if made is None:
        made = [
            create(one.kind, name, one.options, settings.state_dir / "providers" / name, parts.clock.now)
            for name, one in settings.providers.items()
        ]
    breakers = {name: one.circuit_breaker for name, one in settings.providers.items()}
    return {provider.name: GuardedProvider(provider, breaker=breakers.get(provider.name)) for provider in made}


@asynccontextmanager
async def open_runtime(settings: Settings | None = None, parts: Parts | None = None) -> AsyncIterator[RunningRuntime]:
    """Run Greenroom for the length of the block.

    ``settings``: None means the defaults. Configures no logging, installs no signal handler, opens no port (B1).
    Raises :class:`~actors.state_directory.AlreadyRunning` when another supervisor holds the state directory, and what
    gave up: ``supervision.RestartIntensityReached`` when an actor cannot be kept alive.
    """
    settings = settings or Settings.default()
    parts = parts or Parts()
    with nullcontext() if parts.in_memory else StateDirectory(settings.state_dir):
        runtime = RunningRuntime(settings, parts)
        async with open_supervisor(
            runtime.children(), name="greenroom", strategy="rest_for_one", max_restarts=0
        ) as supervisor:  # what fails here has spent its own budget below: the runtime ends (C1)
            runtime.began(supervisor)
            try:
                yield runtime
            finally:
                with trio.move_on_after(GRACE, shield=True):
                    await runtime.quiesce()
                with trio.move_on_after(GRACE, shield=True):
                    await runtime.close_providers()


@asynccontextmanager
async def open_reading(settings: Settings) -> AsyncIterator[Operations]:
    """Look at the rows while no supervisor runs (C4): what changes something needs one.

    Raises :class:`~actors.state_directory.StateDirectoryError` where there is nothing to look at yet.
    """
    path = settings.state_dir / DATABASE
    if not path.exists():
        raise StateDirectoryError(f"there is nothing in {settings.state_dir} yet; start a supervisor: greenroom run")
    store = Store(path, executor=ThreadExecutor(1), now=(parts := Parts()).clock.now)
    await store.open()
    ledger = Ledger(store, publish=lambda _event: None, limits=settings.limits, approvals=settings.approvals)
    try:
        yield Operations(ledger, guarded_providers(settings, parts), Bus(), parts.clock)
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()
