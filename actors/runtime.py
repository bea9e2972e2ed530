"""The supervision tree on one screen, and the place where its parts are put together; servers come from the caller.

    async with open_runtime(Settings.default(state_dir=path)) as runtime:
        job = await runtime.submit(JobRequest(provider="local", command=["python", "train.py"], user_id="ana"))
        job = await runtime.wait(job.job_id)

The root is ``rest_for_one``: without the store nothing else can work, and without the actors the servers could only
report that. Leaving the block stops the servers, the housekeeping, the actors and the store in that order. Submitted
jobs continue to run; the next start finds them.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import attrs
import trio
from sqlalchemy import Engine

from actors.control.context import Context
from actors.control.entry_points import EntryPoints
from actors.control.loop_stalls import LoopStalls
from actors.control.runtime import Runtime
from actors.control.tree import SERVERS
from actors.expiry import Expiry
from actors.expiry import wakes as wakes_expiry
from actors.jobs.approval_rules import DEFAULT_RULES
from actors.jobs.records import ApprovalRule, Event
from actors.kernel import ActorError, ActorRef, Bus, Clock, Envelope, Mailbox, Registry, SystemClock, actor_spec
from actors.kernel.steps import StepWatch
from actors.ledger import Ledger, Sources, restoring
from actors.metrics import Tallies, TimedExecutor, timed
from actors.net.connections import GRACE, SHUTDOWN
from actors.net.look_ups import limited_look_ups
from actors.notification_targets.sending import OpenSender, sender
from actors.notifier import Notifier
from actors.poller.actor import Poller, Refresh, slow_rounds
from actors.poller.poll_requests import PollNow, PollRequests
from actors.providers.base import Provider
from actors.providers.guard import GuardedProvider
from actors.providers.registry import factory
from actors.pruner import Pruner
from actors.scheduler import Quiesce, Scheduler
from actors.scheduler import wakes as wakes_scheduler
from actors.settings import Settings
from actors.settings.effective import as_documents
from actors.store import Executor, InlineExecutor, SharedExecutor, Store, ThreadExecutor, restored, text_search
from actors.store.errors import StoreError
from actors.store.file_system import advice, network_kind
from actors.store.state_directory import DATABASE, StateDirectory
from logconf import get_logger
from supervision import Backoff, ChildSpec, Supervisor, open_supervisor, watchdog

_logger = get_logger("actors.runtime")

MAX_RESTARTS, PERIOD = 30, 300.0
BACKOFF = Backoff(initial=0.5, maximum=10.0, jitter="equal", max_failures=15)
"""Back-off and limits of a group of children: it survives a store that cannot be read for half a minute, whatever
the jitter.
"""


@attrs.frozen
class Parts:
    """The parts of a runtime that differ from the usual ones, for tests and simulations.

    ``in_memory``: the store is in memory and no state directory is used; ``engine``: an existing one, which the caller
    closes. ``executor``: where store work runs. ``backoff_seed``: the seed of the delays before restarts. ``sender``:
    sends notifications.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    executor: Executor | None = None
    in_memory: bool = False
    engine: Engine | None = None
    backoff_seed: int | None = None
    sources: Sources = attrs.field(factory=Sources)
    providers: Sequence[Provider] | None = None
    sender: OpenSender | None = None
    servers: Callable[[RunningRuntime], Sequence[ChildSpec]] = lambda _runtime: ()


class RunningRuntime(Runtime):
    """A runtime together with what runs it: its store, its actors, and the tree that supervises them."""

    def __init__(self, settings: Settings, parts: Parts, watchdog: float | None = None) -> None:
        self.settings = settings
        self.clock = parts.clock
        self.bus = Bus()
        self.registry = Registry()
        tallies = Tallies()
        self.loop_stalls = LoopStalls(tallies)
        self._parts, self._watchdog = parts, watchdog
        executor = parts.executor or (InlineExecutor() if parts.in_memory else ThreadExecutor(1))
        self._readers = executor if parts.in_memory or parts.executor else SharedExecutor()
        path = None if parts.in_memory else settings.state_dir / DATABASE
        self._steps = StepWatch(parts.clock)
        self._store = Store(
            path, executor=TimedExecutor(executor, tallies.commits), now=parts.clock.now, engine=parts.engine,
            steps=self._steps, housekeeping=parts.executor or ThreadExecutor(1), series_bytes=settings.series.max_bytes,
        )  # fmt: skip
        self.ledger = Ledger(
            self._store, publish=self._publish, limits=settings.limits, approvals=settings.approvals,
            rules=configured_rules(settings), sources=parts.sources, queue=settings.queue, notify=settings.notify,
        )  # fmt: skip
        super().__init__(
            Context(self.ledger, guarded_providers(settings, parts), parts.clock), partial(as_documents, settings),
            bus=self.bus, registry=self.registry, tallies=tallies, retention_days=settings.retention.days,
            kinds={name: one.kind for name, one in settings.providers.items()}, best=settings.series.best,
            entry_points=EntryPoints(settings.offered_entry_points()), recheck=self.recheck,
            unhealthy=lambda: (*slow_rounds(self._poller_now), *self.loop_stalls.reasons()),
        )  # fmt: skip
        self._scheduler = self._actor(
            "scheduler", lambda event: event.seq > self.ledger.last_seen and wakes_scheduler(event)
        )
        self._poll_requests = PollRequests()
        self._poller = self._actor("poller", self._poll_requests.note)
        self._expiry = self._actor("expiry", wakes_expiry)
        self._pruner = self.registry.actor("pruner", _wakes())
        self._notifier = self._actor("notifier", self.ledger.outbox.wakes)
        self._steps.leapt = lambda: self._pruner.cast(PollNow())
        self._poller_now: Poller | None = None
        self._polling = (settings.background.job_status_polling, settings.webhook_urls())

    # The tree.

    def children(self) -> list[ChildSpec]:
        """The children of the root, in start order."""
        actors = [
            actor_spec(self._scheduler, self._make_scheduler, shutdown=GRACE),
            actor_spec(self._poller, self._make_poller),
            actor_spec(self._expiry, self._make_expiry),
        ]
        housekeeping = [  # jobs go on without these
            actor_spec(self._pruner, self._make_pruner, on_give_up="park"),
            actor_spec(self._notifier, self._make_notifier, on_give_up="park"),
        ]
        if self._watchdog is not None:
            watch = (self._watchdog, None, self.loop_stalls.note)
            housekeeping.append(ChildSpec("watchdog", watchdog.run, args=watch, on_give_up="park"))
        servers = [attrs.evolve(one, on_give_up="park", shutdown=SHUTDOWN) for one in self._parts.servers(self)]
        groups = [self._group("actors", actors), self._group("housekeeping", housekeeping)]
        if servers:
            groups.append(self._group(SERVERS, servers, stop="together"))
        self.tree.groups = groups
        return [ChildSpec("store", self._run_store), *(ChildSpec(group.name, group.run) for group in groups)]

    def _group(self, name: str, children: Sequence[ChildSpec], **options: Any) -> Supervisor:
        backoff = attrs.evolve(BACKOFF, seed=self._parts.backoff_seed)
        return Supervisor(children, name=name, max_restarts=MAX_RESTARTS, period=PERIOD, backoff=backoff, **options)

    async def _run_store(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:  # noqa: ASYNC128
        await self._store.open(self._readers)
        try:
            if await self.ledger.read(restored.instance_id) is None:
                await self.ledger.write(restoring.ensure_instance_id, secrets.token_hex(16))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._store.keep_log_small)
                nursery.start_soon(self._store.keep_probing)
                nursery.start_soon(text_search.keep_filled, self._store)
                await self.access.keep(task_status=task_status)
        finally:
            with trio.CancelScope(shield=True):
                await self._store.aclose()

    def _make_scheduler(self) -> Scheduler:
        home = None if self._parts.in_memory else self.settings.state_dir
        return timed(Scheduler(self.ledger, self.context.providers, self.clock, home), "scheduler", self.tallies)

    def _make_poller(self) -> Poller:
        polling, urls = self._polling
        jitter, requests = self._parts.sources.jitter, self._poll_requests
        self._poller_now = Poller(
            self.ledger, self.context.providers, self.clock, polling, urls, jitter, requests,
            self.settings.retention.days,
        )  # fmt: skip
        return timed(self._poller_now, "poller", self.tallies, cycle="cycle")

    def _make_expiry(self) -> Expiry:
        expiry = Expiry(self.ledger, self.clock, self.settings.background.approval_expiration, self._steps)
        return timed(expiry, "expiry", self.tallies)

    def _make_pruner(self) -> Pruner:
        return Pruner(self.ledger, self.context.providers, self.clock, self.settings.retention.days)

    def _make_notifier(self) -> Notifier:
        made = self._parts.sender or sender(self.clock.now)
        notifier = Notifier(self.ledger, self.clock, made, self._parts.sources.jitter)
        return timed(notifier, "notifier", self.tallies)

    def _actor(self, name: str, is_wake: Callable[[Event], bool]) -> ActorRef:
        """The reference of an actor that events wake."""
        ref = self.registry.actor(name, _wakes())
        self.bus.subscribe(Event, into=ref, where=is_wake)
        return ref

    def _publish(self, event: Event) -> None:
        self.tallies.note(event)
        self.bus.publish(Envelope.of(event, event.correlation_id, sender="ledger"))

    # Life.

    def began(self, supervisor: Supervisor) -> None:
        """Every child is ready."""
        self.tree.supervisor = supervisor
        self.health.began()

    async def quiesce(self) -> None:
        """Accept no more requests, claim no more jobs, and give what is in progress one bounded grace (C1)."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.tree.stop_servers)
            with trio.move_on_after(GRACE), suppress(ActorError):  # of a scheduler that fails: its supervisor says so
                if self._scheduler.state == "running":
                    await self._scheduler.call(Quiesce())
        with suppress(StoreError):  # which has its own ways to be reported
            await self.ledger.note_stop()

    # Polling.

    def recheck(self, provider: str, key: str) -> None:
        """Let the poller ask ``provider`` about one job now; however many are named at once, none is forgotten."""
        self._poll_requests.recheck(provider, key)
        self._poller.cast(PollNow())

    @property
    def is_polling_active(self) -> bool:
        """Whether timed polling is on."""
        return self._poller_now is not None and self._poller_now.is_polling_active

    async def refresh_polling_state(self, settings: Settings | None = None) -> bool:
        """Decide anew whether timed polling is on.

        ``settings``: the changed ones, of which only what decides this is taken over; None: nothing has changed.
        """
        if settings is not None:
            self._polling = (settings.background.job_status_polling, settings.webhook_urls())
        return bool(await self._poller.call(Refresh(*self._polling)))


def _wakes() -> Mailbox:
    """A mailbox that absorbs wakes of the same kind, because one "look now" is as good as a hundred, and refuses none:
    who sends one, such as a transaction that sees the clock leap, must not fail for that.
    """
    return Mailbox(
        capacity=64, overflow="drop_newest", coalesce=lambda message: isinstance(message, (Event, PollNow)) or None
    )


def configured_rules(settings: Settings) -> tuple[ApprovalRule, ...]:
    """The approval rules of the configuration, with the default ones if it asks for them."""
    return (*(DEFAULT_RULES if settings.approvals.default_rules else ()), *settings.approvals.rules)


def guarded_providers(settings: Settings, parts: Parts) -> dict[str, GuardedProvider]:
    """The providers of ``settings``, or those of ``parts``, each behind its guard."""
    made = parts.providers
    if made is None:
        made = [
            factory(one.kind).create(name, one.options, settings.state_dir / "providers" / name, parts.clock.now)
            for name, one in settings.providers.items()
        ]
    breakers = {name: one.circuit_breaker for name, one in settings.providers.items()}
    return {provider.name: GuardedProvider(provider, breaker=breakers.get(provider.name)) for provider in made}


@asynccontextmanager
async def open_runtime(
    settings: Settings | None = None, parts: Parts | None = None, *, watchdog: float | None = None
) -> AsyncIterator[RunningRuntime]:
    """Run Greenroom for the length of the block.

    ``settings``: None means the defaults. ``watchdog``: seconds after which a blocked event loop is reported, from a
    thread; None: it is not watched. Configures no logging, installs no signal handler, opens no port. Raises
    :class:`~actors.store.state_directory.AlreadyRunning` if another supervisor holds the state directory, and the error
    of what gave up: ``supervision.RestartIntensityReached`` if an actor cannot be kept alive.
    """
    settings, parts = settings or Settings.default(), parts or Parts()
    with nullcontext() if parts.in_memory else StateDirectory(settings.state_dir), limited_look_ups():
        settings.log_notes()
        if not parts.in_memory and (kind := network_kind(settings.state_dir)) is not None:
            _logger.warning("Careful: %s", advice(kind), extra={"state_dir": str(settings.state_dir)})
        runtime = RunningRuntime(settings, parts, watchdog)
        try:
            async with open_supervisor(
                runtime.children(), name="greenroom", strategy="rest_for_one", max_restarts=0
            ) as supervisor:  # what fails here has spent its own budget below: the runtime ends
                runtime.began(supervisor)
                try:
                    yield runtime
                finally:
                    with trio.move_on_after(2 * GRACE, shield=True):
                        await runtime.quiesce()
        finally:  # after the actors, which watch jobs until they end
            runtime.event_reader.end()
            with trio.move_on_after(GRACE, shield=True):
                await runtime.providers.aclose()
