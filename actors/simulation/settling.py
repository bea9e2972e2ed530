"""The last phase: no new jobs, no faults, an operator who settles uncertain jobs. Every job must come to an end."""

from __future__ import annotations

import trio

from actors.jobs.records import ApprovalStatus, JobStatus, Phase
from actors.jobs.refusal import Refused
from actors.providers.scripted import Run
from actors.runtime import RunningRuntime
from actors.simulation.audit import audit
from actors.simulation.checker import Checker
from actors.simulation.process import Process
from actors.simulation.waiting import Waiting
from actors.simulation.world import World
from actors.store import StoreError, jobs
from logconf import bind_correlation_id
from supervision.faults import InjectedFault

ROUND = 60.0
PATIENCE, AT_MOST = 5, 60
"""Rounds after which the jobs that still run are cancelled, and after which all must have ended."""

_OUTCOMES = {
    Phase.SUCCEEDED: JobStatus.COMPLETED,
    Phase.FAILED: JobStatus.FAILED,
    Phase.TIMED_OUT: JobStatus.FAILED,
    Phase.CANCELED: JobStatus.CANCELLED,
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
            runs = self._checker.runs_of(job_id)
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


async def settle(process: Process, runtime: RunningRuntime, operator: Operator, waiting: Waiting) -> None:
    """Let every job end; one that has not after an hour is a violation."""
    world = process.world
    for server in process.servers.values():
        server.heal()
        server.delay(0, 0.0)
    process.plan.rules.clear()
    world.database.disk.failures.clear()
    world.say("no faults from now on")
    await trio.sleep(1)
    for name in ("scheduler", "poller", "expiry"):  # a fault may still make one of them hang
        await runtime.tree.restart(name)
    world.scheduler_hangs = False
    for turn in range(AT_MOST):
        await operator.resume_paused(runtime)
        await operator.settle(runtime)
        await _decide(runtime)
        if turn == 0:
            await runtime.queue.reset_limits(by="op")
        waiting.look(runtime)  # before jobs that wait for too long are cancelled with the rest
        if turn >= PATIENCE:
            await _cancel_all(world, runtime)
        await trio.sleep(ROUND)
        if not _unsettled(world):
            break
    for job_id, status, entry, state in _unsettled(world)[:5]:
        world.broken("all settles without faults", f"job {job_id} is {status}/{entry}, its submission {state}")


async def _decide(runtime: RunningRuntime) -> None:
    for number, request in enumerate(await runtime.approvals.page(statuses=[ApprovalStatus.PENDING])):
        try:
            if number % 2:
                await runtime.reject(request.approval_id, by="bo", reason="late")
            else:
                await runtime.approve(request.approval_id, by="bo")
        except Refused:  # it has just expired
            continue


async def _cancel_all(world: World, runtime: RunningRuntime) -> None:
    for job_id, *_ in _unsettled(world):
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
    for job_id, status in world.database.look("SELECT job_id, status FROM jobs ORDER BY job_id"):
        for run in checker.runs_of(job_id)[-1:]:
            _truth(world, job_id, status, run)
        if status == "completed" and not checker.runs_of(job_id):
            world.broken("jobs end as they ran", f"job {job_id} is completed and never ran")


def _truth(world: World, job_id: str, status: str, run: Run) -> None:
    if not run.timeline.ended(world.true_now()):
        world.broken("no orphans", f"job {job_id} is {status}, run {run.key} goes on")
    elif _OUTCOMES[run.timeline.ending] != status:
        world.broken("jobs end as they ran", f"job {job_id} is {status}, its run ended as {run.timeline.ending}")
