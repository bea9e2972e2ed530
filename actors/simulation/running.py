"""One world from beginning to end: its script on one process after another, a phase without faults, final checks."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Collection
from datetime import timedelta

import attrs
import trio

from actors.jobs.events import EventType
from actors.jobs.records import Event
from actors.kernel import MailboxFull
from actors.runtime import RunningRuntime
from actors.simulation import database
from actors.simulation.audit import audit, bounded
from actors.simulation.causes import Causes
from actors.simulation.checker import Checker
from actors.simulation.clients import Clients
from actors.simulation.deliveries import Deliveries
from actors.simulation.order import Order
from actors.simulation.pinned import collected_at_the_end, pinned, source
from actors.simulation.process import Process
from actors.simulation.providers import ProviderServer, provider_fault
from actors.simulation.replay import JobAccount, Replay
from actors.simulation.restored import Backup, restore, take_backup
from actors.simulation.rules import IN_EVERY_WORLD, Rule, never_asked
from actors.simulation.script import Step, drawn_script
from actors.simulation.settling import Operator, check_all, settle
from actors.simulation.states import Follows
from actors.simulation.targets import Targets
from actors.simulation.waiting import Waiting
from actors.simulation.world import EPOCH, PROVIDERS, World
from supervision import SupervisionError

# Carrying out what goes wrong: faults of providers and the disk, crashes, steps of the clock.

_ERRORS = {"busy": database.BUSY, "full": database.FULL, "failed": database.FAILED}


class Junk:
    """A message without a meaning; it fills a mailbox."""


async def inject(process: Process, runtime: RunningRuntime, step: Step) -> None:
    """Carry ``step`` out on the world or on the process."""
    world, args = process.world, step.args
    if "expiry" in (args.get("name"), args.get("point", "").rpartition(":")[2]) or step.kind == "disk":
        at = math.inf if args.get("do") == "hang" else world.elapsed()  # a restart by hand may come before it hangs
        world.expiry_disturbed_at = max(world.expiry_disturbed_at, at)
    match step.kind:
        case "provider":
            fault = provider_fault(args["fault"], process.servers[args["provider"]].elapsed(), args["seconds"])
            process.servers[args["provider"]].inject(fault)
            world.trace.count(f"fault: {args['provider']} {fault.kind}")
        case "interrupt":
            process.servers[args["provider"]].lose_nodes(args["share"])
        case "lag":
            process.servers[args["provider"]].lag(args["behind"], args["seconds"])
        case "delay":
            process.servers[args["provider"]].delay(args["times"], args["seconds"])
        case "point":
            world.trace.count("fault point")
            if args["do"] == "hang":
                world.may_hang.add(args["point"].rpartition(":")[2])
            process.plan.at(args["point"], occurrence=1, do=args["do"], delay=args["delay"])
        case "restart_actor":
            for _ in range(_TRIES):
                try:
                    await runtime.tree.restart(args["name"])
                    break
                except SupervisionError as refused:  # it is about to be restarted anyway, or its start failed
                    world.say(f"{args['name']} is not restarted by hand: {type(refused).__name__}")
        case "overflow":
            with contextlib.suppress(MailboxFull):  # of an actor whose senders are to wait
                for _ in range(args["messages"]):
                    runtime.registry.whereis(args["name"]).cast(Junk())
        case "disk":
            world.database.disk.failures += [(args["beginning"], _ERRORS[args["error"]])] * args["times"]
        case "jump":
            world.clock.offset += timedelta(seconds=args["seconds"])
            world.jumped_at = world.elapsed()
            world.quiet.jumped(world.elapsed(), args["seconds"], world.clock.now())
        case "kill":
            process.arm(args["where"], args["count"])
    world.trace.count(f"step: {step.kind}")


_TRIES = 5
AUDIT_EVERY = 600.0
_PROCESSES_AT_MOST = 500
_START_AGAIN = 10.0


@attrs.frozen
class Outcome:
    """What one seed showed. ``steps``: how many of its script were carried out; ``lines``: the trace.

    ``violation``: the first broken promise, None where all held. ``simulated``, ``took``: simulated and real seconds.
    """

    seed: int
    hours: float
    steps: int
    digest: str
    violation: str | None
    rule: str | None
    jobs: int
    events: int
    processes: int
    simulated: float
    took: float
    reached: Counter[str]
    asked: Counter[Rule]
    transitions: frozenset[str]
    lines: tuple[str, ...] = attrs.field(repr=False)


@collected_at_the_end()
def simulate(seed: int, hours: float, *, steps: int | None = None, without: Collection[int] = ()) -> Outcome:
    """Carry out the script of ``seed``, its first ``steps`` only, and those numbered ``without`` left out."""
    began = time.perf_counter()
    script = [step for step in drawn_script(seed, hours)[:steps] if step.number not in without]
    world = World(seed)
    simulation = Simulation(
        world, script, until=hours * 3600 if steps is None else 0.0, is_whole=steps is None and not without
    )
    try:
        with pinned(seed, lambda: EPOCH.timestamp() + world.elapsed()):
            simulation.run()
        violation = world.violations[0] if world.violations else None
        ((jobs,),) = world.database.look("SELECT count(*) FROM jobs")
    finally:
        world.database.close()
    return Outcome(
        seed=seed, hours=hours, steps=len(script), digest=world.trace.digest,
        violation=None if violation is None else str(violation),
        rule=None if violation is None else violation.rule,
        jobs=jobs, events=simulation.replay.last, processes=simulation.processes, simulated=world.elapsed(),
        took=time.perf_counter() - began, reached=world.trace.reached, asked=world.checks.asked,
        transitions=frozenset(simulation.replay.transitions), lines=tuple(world.trace.lines),
    )  # fmt: skip


class Simulation:
    """A world, the script for it, and until when (simulated seconds) it goes on where the script is shorter.

    ``is_whole``: all of the script is carried out, so that every rule is to be asked.
    """

    def __init__(self, world: World, script: list[Step], *, until: float, is_whole: bool) -> None:
        self.world = world
        self.checker = Checker(world)
        self._causes = Causes(world, self.checker)
        self.replay = Replay(world.require, self._changed)
        self._order = Order(world, self.replay.jobs)
        self.processes = 0
        self._script = script
        self._until = until
        self._is_whole = is_whole
        self._next = 0
        self._over = False
        self._downtime = 0.0
        self._again = 0
        self._backup: Backup | None = None
        self._unattended_seconds = 0.0
        self._servers = {name: ProviderServer(name, world, self.checker) for name in PROVIDERS}
        self._deliveries = Deliveries(world, self._servers["hooked"])
        self._targets = Targets(world)
        self._clients = Clients(world, self._causes)
        self._operator = Operator(world, self.checker, self._servers)

    def _changed(self, event: Event, account: JobAccount, happened: Follows) -> None:
        self.checker.slots.changed(event, account)
        if event.type == EventType.JOB_DISPATCHED:
            self._order.claimed(event)
        self._causes.changed(event, account, happened)
        is_rerun = event.type == "job_rerun" and "rerun" in event.data  # else a restore found that it ran again
        if event.job_id is not None and (is_rerun or event.type == "job_status_changed"):
            self._servers["exact"].devices.shown(event, self.checker.runs_of(event.job_id))

    def run(self) -> None:
        """Everything, until the end or the first violation."""
        world = self.world
        while not self._over and not world.violations:
            self.processes += 1
            few = self.processes <= _PROCESSES_AT_MOST
            world.checks.ask(world.require, few, Rule.RESTARTS, f"{_PROCESSES_AT_MOST} processes came and went")
            if not few:
                return
            self._downtime = _START_AGAIN
            process = Process(world, self.checker, self.replay, self._servers, self._targets, self.processes)
            if self._again:
                process.arm("statement", self._again)
                self._again = 0
            process.run(self._work)
            if world.violations:
                return
            world.checks.ask(audit, world, self.replay)
            world.wait(self._downtime)
            if self._is_to_restore:
                self._restore(process)
        if not world.violations:
            world.checks.ask(check_all, process)
        if not world.violations and self._is_whole:
            self._has_checked()

    @property
    def _is_to_restore(self) -> bool:
        return self._backup is not None and self._next >= len(self._script) and not self.world.restored

    def _restore(self, process: Process) -> None:
        """Go back to the backup. The next process may die while it looks the jobs up; a person comes soon or late."""
        assert self._backup is not None
        self.world.checks.ask(restore, self._backup, process)
        self._clients.unanswered.clear()
        self._deliveries.restored()
        draw = source(self.world.seed, "restore")
        self._again = draw.choice([0, draw.randint(1, 400)])
        self._unattended_seconds = draw.choice([1.0, 45.0])

    def _has_checked(self) -> None:
        """A checker that was asked nothing has found nothing."""
        missing = never_asked(self.world.checks.asked, IN_EVERY_WORLD)
        if not self.checker.runs or missing:
            text = f"{len(self.checker.runs)} runs; never asked: {', '.join(missing) or 'none'}"
            self.world.broken(Rule.NOTHING_CHECKED, text)

    async def _work(self, process: Process, runtime: RunningRuntime) -> None:
        """The script from the next step on, until a stop or the end."""
        async with trio.open_nursery() as nursery:
            for server in self._servers.values():
                nursery.start_soon(server.take_late)
            nursery.start_soon(self._deliveries.run, process, runtime)
            nursery.start_soon(self._operator.look_after, runtime)
            nursery.start_soon(self._audits, runtime)
            waiting = Waiting(self.world, self.checker)
            nursery.start_soon(waiting.watch, runtime)
            unanswered, self._clients.unanswered = self._clients.unanswered, []
            for step in unanswered:
                nursery.start_soon(self._clients.act, process, runtime, step)
            if await self._carry_out(process, runtime, nursery) and not self._is_to_restore:
                await trio.sleep(self._unattended_seconds)
                await settle(process, runtime, self._operator, waiting, self._clients)
                self._over = True
            nursery.cancel_scope.cancel()

    async def _carry_out(self, process: Process, runtime: RunningRuntime, nursery: trio.Nursery) -> bool:
        """Step after step; whether the script is at its end, rather than the process at a stop."""
        while self._next < len(self._script):
            step = self._script[self._next]
            await trio.sleep(max(step.at - self.world.elapsed(), 0.0))
            self._next += 1
            self.world.say(f"step {step}")
            if step.kind == "stop":
                await self._stop(step)
                return False
            await self._take(step, process, runtime, nursery)
        await trio.sleep(max(self._until - self.world.elapsed(), 0.0))
        return True

    async def _take(self, step: Step, process: Process, runtime: RunningRuntime, nursery: trio.Nursery) -> None:
        if step.kind in self._clients.kinds:
            nursery.start_soon(self._clients.act, process, runtime, step)
            return
        if step.kind == "deliveries":
            self._deliveries.disturb(step.args["fates"], step.args["seconds"])
            self.world.trace.count("step: deliveries")
            return
        if step.kind == "backup":
            self._backup = take_backup(self.world, self.replay)
            self.world.trace.count("step: backup")
            return
        if step.kind == "target":
            self._targets.disturb(**step.args)
            self.world.trace.count(f"target {step.args['fault']}")
            return
        if step.kind == "kill":
            self._downtime, self._again = step.args["downtime"], step.args.get("again", 0)
        await inject(process, runtime, step)

    async def _stop(self, step: Step) -> None:
        """An orderly stop; where it is to meet a hand-over, the first that is under way within a minute."""
        self._downtime = step.args["downtime"]
        self.world.trace.count("step: stop")
        for _ in range(60 if step.args["in_hands"] else 0):
            if self.world.database.look("SELECT 1 FROM submissions WHERE state = 'intent'"):
                return
            await trio.sleep(1)

    async def _audits(self, runtime: RunningRuntime) -> None:
        while True:
            await trio.sleep(AUDIT_EVERY)
            self.world.checks.ask(audit, self.world, self.replay)
            living = trio.lowlevel.current_statistics().tasks_living
            self.world.checks.ask(bounded, self.world, runtime.registry, living)
