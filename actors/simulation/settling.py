"""The last phase: no faults, and one new job; an operator settles uncertain jobs, and every job must come to an end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import trio

from actors.control.context import Context
from actors.jobs.records import ApprovalStatus, JobStatus, Phase
from actors.jobs.refusal import Refused
from actors.providers.base import Push
from actors.providers.scripted import Run
from actors.runtime import RunningRuntime
from actors.simulation.audit import audit
from actors.simulation.causes import Causes
from actors.simulation.checker import Checker
from actors.simulation.clients import LAST_JOB, Clients
from actors.simulation.pinned import source
from actors.simulation.process import Process
from actors.simulation.providers import ProviderServer
from actors.simulation.rule_changes import change_rules
from actors.simulation.rules import Rule
from actors.simulation.shown import check_shown
from actors.simulation.target_options import TARGETS
from actors.simulation.targets import check_targets, unsent
from actors.simulation.waiting import Waiting
from actors.simulation.world import PROVIDERS, World
from actors.store import StoreError, jobs
from logconf import bind_correlation_id
from supervision.faults import InjectedFault

ROUND = 60.0
CANCEL_AFTER, END_WITHIN = 5, 60
"""Rounds after which the jobs that still run are cancelled, and after which all must have ended."""

NOTICED_WITHIN = 200.0
"""Seconds after which the end of a run must be known, where its provider is asked regularly."""

MANY_TO_LOOK_UP, MANY_LEFT = 50, 10
"""If more jobs than this were restored, or are left, their look-ups after a restore may take longer."""

_SHARE_FAILED = 0.2
"""Of uncertain jobs that did not run, how many the operator settles as failed; the others are to run."""

_OUTCOMES = {
    Phase.SUCCEEDED: JobStatus.COMPLETED,
    Phase.FAILED: JobStatus.FAILED,
    Phase.TIMED_OUT: JobStatus.FAILED,
    Phase.CANCELED: JobStatus.CANCELLED,
    Phase.LOST: JobStatus.FAILED,
}


_TO_LOOK_UP = "SELECT q.job_id, q.provider FROM queue_entries q WHERE q.restored = 'look_up'"
_GOING_ON = (  # by the run that the operator named, if he did, else by the key
    "SELECT j.provider, coalesce(json_extract(s.handle, '$.run'), s.key)"
    " FROM submissions s JOIN jobs j ON j.job_id = s.job_id WHERE s.state = 'handed' AND j.uncertain_since IS NULL"
)
_WITHOUT_HANDLE = (
    "SELECT key FROM submissions WHERE error = 'it ran again after the backup was made' AND handle IS NULL"
)
_ENDED_ATTEMPT = (
    "SELECT 1 FROM submissions WHERE outcome IS NOT NULL AND (key = ? OR json_extract(handle, '$.run') = ?)"
)


class Operator:
    """An operator: resumes providers, and settles uncertain jobs by what really happened at the provider."""

    def __init__(self, world: World, checker: Checker, servers: Mapping[str, ProviderServer]) -> None:
        self._world = world
        self._checker = checker
        self._servers = servers
        self._draw = source(world.seed, "operator")

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
            runs = self._checker.runs_of(job_id)
            if not self._world.restored:  # else it may have run under a key that is not in the rows
                runs = [run for run in runs if (run.key,) in open_ones]
            with bind_correlation_id(f"operator-{job_id}"):
                if any(server.has_late(job_id) for server in self._servers.values()):
                    continue  # it may still run, or run again: the next round shows it
                failed = self._draw.random() < _SHARE_FAILED
                verdict = "ran" if runs else "failed" if failed else "not_run"
                handle = {"run": runs[-1].run_id} if runs else None
                refusal: Refused | None = None
                try:
                    await runtime.jobs.settle(job_id, verdict, handle=handle, by="op")
                except Refused as error:
                    refusal = error
                if refusal is None:
                    self._world.trace.count(f"settled: {verdict}")
                elif job_id in await runtime.ledger.read(jobs.uncertain):
                    raise refusal
                # else the round that was under way when the last phase began has settled it

    async def resume_paused(self, runtime: RunningRuntime) -> None:
        """Resume paused providers, also those paused by a refusal; those that wait for a time resume by themselves."""
        for (provider,) in self._world.database.look(
            "SELECT provider FROM provider_gates WHERE paused_reason NOT NULL"
        ):
            await runtime.queue.resume(None if provider == "*" else provider, by="op")


async def settle(
    process: Process, runtime: RunningRuntime, operator: Operator, waiting: Waiting, clients: Clients
) -> None:
    """Let every job end; one that has not after an hour is a violation. A last job is submitted, without any faults."""
    world, causes = process.world, clients.causes
    for server in process.servers.values():
        server.heal()
        server.delay(0, 0.0)
        server.lag(0.0, 0.0)
    process.targets.heal()
    process.plan.rules.clear()
    world.database.disk.failures.clear()
    world.say("no faults from now on")
    await trio.sleep(1)
    context = Context(runtime.ledger, runtime.providers.guarded, world.clock)
    _check_shown(process, context, "without faults")
    for name in ("scheduler", "poller", "expiry", "notifier"):  # a fault may still make one of them hang
        await runtime.tree.restart(name)
    world.may_hang.clear()
    world.expiry_disturbed_at = world.elapsed()
    for turn in range(END_WITHIN):
        await operator.resume_paused(runtime)
        await operator.settle(runtime)
        await _decide(runtime, causes)
        await enable_targets(process, runtime)
        if turn == 0:
            await runtime.queue.reset_limits(by="op")
            await clients.act(process, runtime, LAST_JOB)
        world.checks.ask(waiting.look, runtime)  # before jobs that wait for too long are cancelled with the rest
        if turn == CANCEL_AFTER:
            world.checks.ask(_all_are_looked_up, process)
            world.checks.ask(_ends_are_noticed, world, process.checker)
        if turn >= CANCEL_AFTER:
            await _cancel_all(world, runtime, causes)
        await trio.sleep(ROUND)
        if not _unsettled(world) and not unsent(world):
            break
    await change_rules(world, runtime)
    _check_shown(process, context, "after the end")
    left, waiting_for = _unsettled(world)[:5], unsent(world)[:5]
    world.note(world.require, not left, Rule.SETTLES, f"jobs, their entries and submissions: {left}")
    world.note(world.require, not waiting_for, Rule.SETTLES, f"notifications, their targets and states: {waiting_for}")


def _all_are_looked_up(process: Process) -> None:
    """Some minutes after a restore, unless there are many, or a submission is, or was, on its way: nobody can tell."""
    rows = process.world.database.look(_TO_LOOK_UP)
    left = [job_id for job_id, provider in rows if not process.servers[provider].has_late(job_id, ROUND)]
    done = not left or len(left) > MANY_LEFT or process.world.marked > MANY_TO_LOOK_UP
    process.world.require(done, Rule.LOOKED_UP, f"{left} are still to be looked up after the restore")


def _ends_are_noticed(world: World, checker: Checker) -> None:
    """What ended minutes ago, while nothing failed, is known to have ended: it is closed, or in doubt.

    Where a provider calls back, a lost call is made up for by the safety net alone, much later.
    """
    going_on = set(world.database.look(_GOING_ON))
    since = world.true_now() - timedelta(seconds=NOTICED_WITHIN)
    asked = {name for name, options in PROVIDERS.items() if options.push is Push.NONE}
    runs = [run for name, run in checker.runs if name in asked and {(name, run.run_id), (name, run.key)} & going_on]
    late = [run.key for run in runs if run.timeline.ended(since)]
    world.require(not late, Rule.ENDS_NOTICED, f"the ends of {late} are not noticed")


def _check_shown(process: Process, context: Context, moment: str) -> None:
    """First the rows: what is shown of wrong ones says less."""
    world = process.world
    world.checks.ask(audit, world, process.replay)
    if not world.violations:
        world.checks.ask(check_shown, world, context.for_decision, moment)


async def enable_targets(process: Process, runtime: RunningRuntime) -> None:
    """As an operator does when all work again: what waits for them is tried at once."""
    process.targets.failed.clear()
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


def check_all(process: Process) -> None:
    """After the end: rows against events, and every job against what really ran."""
    world, checker = process.world, process.checker
    audit(world, process.replay)
    check_targets(world, process.targets)
    unnamed = [key for (key,) in world.database.look(_WITHOUT_HANDLE)]
    world.require(not unnamed, Rule.SHOWN, f"their provider has {unnamed}, their rows do not say under which name")
    found = world.database.look("SELECT job_id, status FROM jobs ORDER BY job_id")
    if world.restored and not found:  # from a backup of no jobs: there is nothing to check
        world.require(True, Rule.AS_THEY_RAN, "")
    for job_id, status in found:
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
    ran_again = world.database.look(_ENDED_ATTEMPT, (run.key, run.run_id))
    same = ran_again or _OUTCOMES[run.timeline.ending] == status
    world.require(same, Rule.AS_THEY_RAN, f"job {job_id} is {status}, its run ended as {run.timeline.ending}")
