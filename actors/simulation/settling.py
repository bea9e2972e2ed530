"""Every job must come to an end: rules about waits, and the last phase.

In the last phase there are no new jobs and no faults, and an operator settles uncertain jobs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import trio

from actors.jobs.records import ApprovalStatus, JobStatus, Phase
from actors.jobs.refusal import Refused
from actors.providers.breaker import BreakerState
from actors.providers.scripted import Run
from actors.runtime import RunningRuntime
from actors.simulation.audit import audit
from actors.simulation.causes import Causes
from actors.simulation.checker import Checker
from actors.simulation.process import Process
from actors.simulation.rules import Rule
from actors.simulation.target_options import TARGETS
from actors.simulation.targets import judge, unsent
from actors.simulation.world import PROVIDERS, World, limit_of, limited
from actors.store import StoreError, jobs
from actors.store.types import instant
from logconf import bind_correlation_id
from supervision.faults import InjectedFault

# Rules about waits, checked every half minute: no wait lasts longer than it may, and a job that can run is started.

EVERY = 30.0

LONGEST_WAIT = timedelta(seconds=201)
"""No provider of a world asks for more than 200 s, and no back-off of three attempts is longer."""

SETTLED = 300.0
"""Seconds after a step of the clock, or a start, in which the runtime must have noticed it, in spite of faults."""

PATIENCE = 600.0
"""Seconds for which a job may wait although it could run: an actor may hang, and be restarted, twice."""

_WAITS = (
    "SELECT 'job ' || job_id, not_before FROM queue_entries WHERE status = 'pending' AND not_before IS NOT NULL"
    " UNION ALL SELECT 'job ' || job_id, start_after FROM queue_entries WHERE status IN ('pending', 'blocked')"
    " AND start_after IS NOT NULL AND start_wait_seconds IS NOT NULL"
    " UNION ALL SELECT 'provider ' || provider, closed_until FROM provider_gates WHERE closed_until IS NOT NULL"
)
_KINDS = "job_id, user_id, org_id, team_id, provider, cpus, gpus"


class Waiting:
    """The rules for one process of ``world``, from now on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = world.elapsed()
        world.scheduler_hangs = False
        self._could: dict[str, float] = {}

    async def watch(self, runtime: RunningRuntime) -> None:
        """Check again and again, until cancelled."""
        while True:
            await trio.sleep(EVERY)
            self._world.judging.ask(self.look, runtime)

    def look(self, runtime: RunningRuntime) -> None:
        """What must hold now."""
        if self._world.elapsed() - max(self._began, self._world.jumped_at) >= SETTLED:
            self._waits_end()
        self._what_can_run_starts(runtime)

    def _waits_end(self) -> None:
        now = self._world.clock.now()
        waits = [(who, instant(ends) - now) for who, ends in self._world.database.look(_WAITS)]
        long = [f"{who} is to wait for {left} more" for who, left in waits if left > LONGEST_WAIT]
        self._world.require(not long, Rule.WAITS_END, str(long))

    def _what_can_run_starts(self, runtime: RunningRuntime) -> None:
        now = self._world.elapsed()
        before, self._could = self._could, {}
        if self._world.scheduler_hangs:
            return
        for job_id in (*self._runnable(runtime), *self._overdue()):
            self._could[job_id] = before.get(job_id, now)
        could = [(job_id, now - since) for job_id, since in self._could.items()]
        late = [f"job {job_id} could run for {seconds:.0f} s" for job_id, seconds in could if seconds >= PATIENCE]
        self._world.require(not late, Rule.CAN_RUN, str(late))

    def _runnable(self, runtime: RunningRuntime) -> Iterator[str]:
        """Jobs that could run now, according to the rows."""
        look = self._world.database.look
        limits = self._world.limits[-1][1]
        running = look(f"SELECT {_KINDS} FROM queue_entries WHERE status = 'running'")  # noqa: S608 - a constant
        if len(running) >= limits.total:
            return
        taken = Counter(one for row in running for one in limited(*row[1:5]))
        free = {name: _free(name, running) for name in self._open(runtime)}
        ready = look(f"SELECT {_KINDS} FROM queue_entries WHERE lane_id IS NOT NULL ORDER BY job_id")  # noqa: S608
        for job_id, user, org, team, provider, cpus, gpus in ready:
            fits = provider in free and cpus <= free[provider][0] and gpus <= free[provider][1]
            if fits and all(taken[one] < limit_of(one, limits) for one in limited(user, org, team, provider)):
                yield job_id

    def _overdue(self) -> Iterator[str]:
        """Jobs whose time has come, or one of whose parents has ended, to which that was not passed on yet."""
        now = (self._world.clock.now() - instant(0)) // timedelta(microseconds=1)
        for (job_id,) in self._world.database.look(
            "SELECT job_id FROM queue_entries WHERE status IN ('pending', 'blocked') AND start_after < ?"
            " UNION SELECT d.job_id FROM dependencies d JOIN jobs p ON p.job_id = d.parent_id"
            " WHERE d.parent_status IS NULL AND p.status IN ('completed', 'failed', 'cancelled')",
            (now,),
        ):
            yield job_id

    def _open(self, runtime: RunningRuntime) -> list[str]:
        """Providers that take jobs now: neither closed nor being tried out, and nothing there is kept for a job."""
        now = (self._world.clock.now() - instant(0)) // timedelta(microseconds=1)
        shut = {
            name
            for (name,) in self._world.database.look(
                "SELECT provider FROM provider_gates WHERE paused_reason IS NOT NULL OR closed_until > ?"
                " UNION SELECT provider FROM lanes WHERE blocked_since IS NOT NULL",
                (now,),
            )
        }
        if "*" in shut:
            return []
        calm = [name for name, one in runtime.providers.guarded.items() if one.breaker.state is BreakerState.CLOSED]
        return [name for name in calm if name not in shut]


def _free(name: str, running: list[Any]) -> list[float]:
    """Unused CPUs and GPUs of a provider."""
    options = PROVIDERS[name]
    there = [row for row in running if row[4] == name]
    return [
        math.inf if total is None else total - sum(row[column] for row in there)
        for column, total in ((5, options.cpus), (6, options.gpus))
    ]


ROUND = 60.0
CANCEL_AFTER, END_WITHIN = 5, 60
"""Rounds after which the jobs that still run are cancelled, and after which all must have ended."""

_OUTCOMES = {
    Phase.SUCCEEDED: JobStatus.COMPLETED,
    Phase.FAILED: JobStatus.FAILED,
    Phase.TIMED_OUT: JobStatus.FAILED,
    Phase.CANCELED: JobStatus.CANCELLED,
    Phase.LOST: JobStatus.FAILED,
}


class Operator:
    """An operator: resumes providers, and settles uncertain jobs by what really happened at the provider."""

    def __init__(self, world: World, checker: Checker) -> None:
        self._world = world
        self._checker = checker

    async def look_after(self, runtime: RunningRuntime) -> None:
        """Rounds, until cancelled."""
        while True:
            await trio.sleep(5 * ROUND)
            try:
                await self.settle(runtime)
            except (StoreError, InjectedFault, Refused) as error:
                self._world.say(f"the operator fails: {type(error).__name__}")

    async def settle(self, runtime: RunningRuntime) -> None:
        """Settle each uncertain job by what its provider's server holds."""
        for job_id in await runtime.ledger.read(jobs.uncertain):
            open_ones = self._world.database.look(
                "SELECT key FROM submissions WHERE job_id = ? AND state != 'closed'", (job_id,)
            )
            runs = [run for run in self._checker.runs_of(job_id) if (run.key,) in open_ones]
            with bind_correlation_id(f"operator-{job_id}"):
                verdict = "ran" if runs else "not_run"
                handle = {"run": runs[-1].run_id} if runs else None
                await runtime.jobs.settle(job_id, verdict, handle=handle, by="op")
                self._world.trace.count(f"settled: {verdict}")

    async def resume_paused(self, runtime: RunningRuntime) -> None:
        """Resume paused providers, also those paused by a refusal; those that wait for a time resume by themselves."""
        for (provider,) in self._world.database.look(
            "SELECT provider FROM provider_gates WHERE paused_reason NOT NULL"
        ):
            await runtime.queue.resume(provider, by="op")


async def settle(
    process: Process, runtime: RunningRuntime, operator: Operator, waiting: Waiting, causes: Causes
) -> None:
    """Let every job end; one that has not after an hour is a violation."""
    world = process.world
    for server in process.servers.values():
        server.heal()
        server.delay(0, 0.0)
    process.targets.heal()
    process.plan.rules.clear()
    world.database.disk.failures.clear()
    world.say("no faults from now on")
    await trio.sleep(1)
    for name in ("scheduler", "poller", "expiry", "notifier"):  # a fault may still make one of them hang
        await runtime.tree.restart(name)
    world.scheduler_hangs = False
    for turn in range(END_WITHIN):
        await operator.resume_paused(runtime)
        await operator.settle(runtime)
        await _decide(runtime, causes)
        await enable_targets(runtime)
        if turn == 0:
            await runtime.queue.reset_limits(by="op")
        world.judging.ask(waiting.look, runtime)  # before jobs that wait for too long are cancelled with the rest
        if turn >= CANCEL_AFTER:
            await _cancel_all(world, runtime, causes)
        await trio.sleep(ROUND)
        if not _unsettled(world) and not unsent(world):
            break
    left, waiting_for = _unsettled(world)[:5], unsent(world)[:5]
    world.note(world.require, not left, Rule.SETTLES, f"jobs, their entries and submissions: {left}")
    world.note(world.require, not waiting_for, Rule.SETTLES, f"notifications, their targets and states: {waiting_for}")


async def enable_targets(runtime: RunningRuntime) -> None:
    """As an operator does when all work again: what waits for them is tried at once."""
    for name in TARGETS:
        await runtime.notifications.enable(name, by="op")


async def _decide(runtime: RunningRuntime, causes: Causes) -> None:
    for number, request in enumerate(await runtime.approvals.page(statuses=[ApprovalStatus.PENDING])):
        causes.asked("reject" if number % 2 else "approve", request.job_id)
        try:
            if number % 2:
                await runtime.reject(request.approval_id, by="bo", reason="late")
            else:
                await runtime.approve(request.approval_id, by="bo")
        except Refused:  # it has just expired
            continue


async def _cancel_all(world: World, runtime: RunningRuntime, causes: Causes) -> None:
    for job_id, *_ in _unsettled(world):
        causes.asked("cancel", job_id)
        try:
            await runtime.cancel(job_id, by="op")
        except Refused:  # it has just ended
            continue


def _unsettled(world: World) -> list[tuple[str, str, str, str | None]]:
    return world.database.look(
        "SELECT j.job_id, j.status, q.status, s.state FROM jobs j JOIN queue_entries q ON q.job_id = j.job_id"
        " LEFT JOIN submissions s ON s.job_id = j.job_id AND s.state != 'closed'"
        " WHERE j.status NOT IN ('completed', 'failed', 'cancelled') OR s.state IS NOT NULL ORDER BY j.job_id"
    )


def judge_all(process: Process) -> None:
    """After the end: rows against events, and every job against what really ran."""
    world, checker = process.world, process.checker
    audit(world, process.replay)
    judge(world, process.targets)
    for job_id, status in world.database.look("SELECT job_id, status FROM jobs ORDER BY job_id"):
        for run in checker.runs_of(job_id):
            world.require(
                run.timeline.ended(world.true_now()), Rule.NO_ORPHANS, f"{job_id} is {status}, {run.key} goes on"
            )
        for run in checker.runs_of(job_id)[-1:]:
            _truth(world, job_id, status, run)
        ran = status != "completed" or checker.runs_of(job_id)
        world.require(ran, Rule.AS_THEY_RAN, f"job {job_id} is completed and never ran")


def _truth(world: World, job_id: str, status: str, run: Run) -> None:
    """The last run decides, unless its job was to run again, and was cancelled or could not be handed over then."""
    ran_again = world.database.look("SELECT 1 FROM submissions WHERE key = ? AND outcome IS NOT NULL", (run.key,))
    same = ran_again or _OUTCOMES[run.timeline.ending] == status
    world.require(same, Rule.AS_THEY_RAN, f"job {job_id} is {status}, its run ended as {run.timeline.ending}")
