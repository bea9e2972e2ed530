"""One process after another on the same world: how it is started, composed, killed or stopped."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

import attrs
import outcome
import trio
import trio.testing

from actors.jobs.events import EventType
from actors.jobs.records import Event
from actors.kernel import ActorDown, CallTimeout, MailboxFull
from actors.ledger import Sources
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.simulation.checker import Checker
from actors.simulation.database import engine
from actors.simulation.event_lines import EventLines
from actors.simulation.pinned import source
from actors.simulation.providers import ProviderServer, SimulatedProvider
from actors.simulation.replay import Replay
from actors.simulation.rules import Rule
from actors.simulation.targets import Targets
from actors.simulation.turns import Turns
from actors.simulation.world import PROVIDERS, Killed, World
from actors.store import StoreError, lanes
from actors.store import events as event_rows
from actors.testing import seeded_sources
from supervision import ChildStartError, FaultPlan, RestartIntensityReached
from supervision.errors import leaves
from supervision.faults import InjectedFault

# Errors that were not injected: every error of an actor, a process or a client must be explained by a fault.

_PLANNED: tuple[type[BaseException], ...] = (InjectedFault, Killed, trio.Cancelled)
_FOLLOWS = (RestartIntensityReached, ChildStartError, ActorDown)


def unplanned(error: BaseException, world: World) -> list[BaseException]:
    """The leaves of ``error``, its causes included, that no step of the script explains."""
    found = []
    for leaf in leaves(error):
        if isinstance(leaf, _FOLLOWS):
            # Supervision gave up, or an actor is down: the reason below it must have been planned.
            found += unplanned(leaf.__cause__, world) if leaf.__cause__ is not None else []
        elif not _explained(leaf, world):
            found.append(leaf)
    return found


def _explained(leaf: BaseException, world: World) -> bool:
    if isinstance(leaf, StoreError):
        return world.database.disk.failed > 0
    if isinstance(leaf, (CallTimeout, MailboxFull)):
        return world.trace.reached["fault point"] > 0
    return isinstance(leaf, _PLANNED)


def describe(error: BaseException) -> str:
    """``error`` with the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def require_planned(world: World, error: BaseException, rule: Rule, whose: str) -> None:
    """Require that faults of the script explain all of ``error``."""
    found = [describe(leaf) for leaf in unplanned(error, world)]
    world.require(not found, rule, f"{whose}: {found}")


def check_end(world: World, error: BaseException, killed: bool) -> None:
    """A process that was not killed ends in order, or because its injected faults spent a budget."""
    if killed:
        return
    world.say(f"the process ends with {type(error).__name__}")
    world.trace.count("process gave up")
    require_planned(world, error, Rule.NO_CRASH, "the process")


class Crashes(logging.Handler):
    """Listens to what is logged at ERROR while a process lives."""

    def __init__(self, world: World, dead: Callable[[], bool]) -> None:
        super().__init__(logging.ERROR)
        self._world = world
        self._dead = dead

    def emit(self, record: logging.LogRecord) -> None:
        """One record; its exception must have been planned."""
        if self._dead():
            return
        error = record.exc_info[1] if record.exc_info else None
        self._world.trace.count("errors logged")
        if error is not None:
            self._world.note(require_planned, self._world, error, Rule.NO_CRASH, record.getMessage())

    def __enter__(self) -> Crashes:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        logging.getLogger().removeHandler(self)


T = TypeVar("T")

STOPS_WITHIN = 40.0
"""Simulated seconds that a stop in order may take: the graces of hand-overs, of the actors and of the providers."""


class Executor:
    """Runs store work in place while the process lives, and nothing at all afterwards."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, function: Callable[[], T]) -> T:
        """A checkpoint first, as any call that might block has. Raises :class:`Killed` in a dead process."""
        await trio.lowlevel.checkpoint()
        self._process.check()
        return function()


Work = Callable[["Process", RunningRuntime], Awaitable[None]]


@attrs.define(eq=False, slots=False)  # trio asks an instrument which methods it has
class Process(trio.abc.Instrument):
    """One incarnation of the program. ``work`` is what happens to it while it runs; its return is a stop in order."""

    world: World
    checker: Checker
    replay: Replay
    servers: dict[str, ProviderServer]
    targets: Targets
    _number: int
    dead: bool = False
    _died_at: float = 0.0
    _end: trio.Event = attrs.field(factory=trio.Event)
    _countdown: int = 0
    _where: str = ""

    def __attrs_post_init__(self) -> None:
        self.plan = FaultPlan(seed=self.world.seed + self._number, strict=False)
        self.crashes = Crashes(self.world, lambda: self.dead)
        self._lines = EventLines(self.world)

    # Death.

    def check(self) -> None:
        """Raises :class:`Killed` in a dead process."""
        if self.dead:
            raise Killed

    def kill(self, why: str) -> None:
        """Die here and now: nothing that this process still does has any effect."""
        if self.dead:
            return
        self.world.say(f"process {self._number} dies: {why}")
        self.dead = True
        self._died_at = self.world.elapsed()
        self._end.set()

    def arm(self, where: str, count: int) -> None:
        """Die at the ``count``-th statement, commit or checkpoint from now."""
        self._where, self._countdown = where, count
        disk = self.world.database.disk
        if where == "checkpoint":
            trio.lowlevel.add_instrument(self)
        elif where == "after_commit":
            disk.after = lambda statement: self._pass(statement == "COMMIT", "after COMMIT")
        else:
            disk.before = lambda statement: self._pass(where == "statement" or statement == "COMMIT", statement)

    def _pass(self, counts: bool, what: str) -> None:
        self.check()
        self._countdown -= counts
        if counts and self._countdown <= 0:
            self.kill(f"{self._where} {' '.join(what.split()[:3])}")
            raise Killed

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task came to a checkpoint."""
        self._countdown -= 1
        if self._countdown == 0:
            self.kill(f"at a checkpoint of {task.name.rpartition('.')[2]}")

    # Life.

    def run(self, work: Work) -> None:
        """From start to end, however it ends."""
        world = self.world
        lanes.forget()  # a process's memory is lost with it
        with self.crashes, self.plan, self._lines:
            world.say(f"process {self._number} starts")
            world.quiet.started()
            world.entered()
            clock, turns = trio.testing.MockClock(autojump_threshold=0), Turns(self._end.set)
            ended = outcome.capture(lambda: trio.run(self._live, work, clock=clock, instruments=[turns]))
            world.checks.check_noted()
        world.left(self._died_at or world.elapsed_at_end)
        about = "the event loop had work again and again at one moment"
        world.checks.ask(world.require, not turns.endless, Rule.TIME_GOES_ON, about)
        if isinstance(ended, outcome.Error):
            if isinstance(ended.error, KeyboardInterrupt):
                raise ended.error
            world.checks.ask(check_end, world, ended.error, self.dead)
        world.database.power_cycle()
        world.checks.ask(self.checker.process_ended)
        self.read_unpublished()
        world.checks.ask(self.checker.process_ended)
        world.checks.ask(self.checker.suspects.process_ended)

    async def _live(self, work: Work) -> None:
        self.world.on_violation = self._end.set
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_with, nursery.cancel_scope)
                await self._serve(work)
                nursery.cancel_scope.cancel()
        finally:
            self.world.elapsed_at_end = self.world.elapsed()

    async def _end_with(self, scope: trio.CancelScope) -> None:
        await self._end.wait()
        self.dead = True
        scope.cancel()

    async def _serve(self, work: Work) -> None:
        world = self.world
        async with open_runtime(world.settings, self._parts()) as runtime:
            await work(self, runtime)
            asked_at = trio.current_time()
            world.say(f"process {self._number} is asked to stop")
        took = trio.current_time() - asked_at
        world.say(f"process {self._number} stopped within {took:.1f} s")
        world.note(world.require, took <= STOPS_WITHIN or self.dead, Rule.STOPS, f"it took {took:.1f} s")

    def _parts(self) -> Parts:
        world = self.world
        seeded = seeded_sources(world.seed * 1000 + self._number)
        return Parts(
            clock=world.clock,
            executor=Executor(self),
            in_memory=True,
            engine=engine(),
            backoff_seed=world.seed,
            sources=Sources(
                ids=seeded.ids, token=seeded.token, jitter=source(world.seed, f"jitter {self._number}").random
            ),
            providers=[
                SimulatedProvider(PROVIDERS[name], server, lambda: not self.dead)
                for name, server in self.servers.items()
            ],
            sender=self.targets.sender(self.check),
            servers=self._listen,
        )

    def _listen(self, runtime: RunningRuntime) -> tuple[()]:
        """Subscribe to every event, those of the start included; there are no outer servers."""
        runtime.bus.subscribe(Event, where=self._saw)
        return ()

    def _saw(self, message: Any) -> bool:
        """An event was published; nothing is to be delivered."""
        if isinstance(message, Event) and not self.dead:
            self.world.note(self._lines.published, message)
            self._take(message)
        return False

    def _take(self, event: Event) -> None:
        world = self.world
        status = event.data.get("status", "")
        world.say(f"event {event.seq} {event.type} {event.job_id or ''} {status}")
        world.trace.count(event.type)
        world.note(self.replay.feed, event)
        world.note(self.checker.saw, event)
        if event.type == EventType.LIMITS_CHANGED:
            world.note(world.note_limits, event)

    def read_unpublished(self) -> None:
        """Take the events that were committed and not published: the next process's readers find them in the rows."""
        with self.world.database.disk.silent(), engine().connect() as connection:
            for event in event_rows.after(connection, self.replay.last, limit=10_000):
                self._take(event)
        self.world.checks.check_noted()
