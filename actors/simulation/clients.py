"""Users and programs: they call the runtime, remember its answers, and repeat unanswered calls under the same key."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import trio

from actors.jobs.records import ApprovalStatus, Job, JobRequest, Rerun, Resources
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime
from actors.simulation import sweeps
from actors.simulation.causes import Causes
from actors.simulation.process import Process, require_planned
from actors.simulation.rules import Rule
from actors.simulation.script import Step
from actors.simulation.world import Known, World
from actors.simulation.wrong_calls import make_wrong_call
from actors.testing import request as scripted_request
from logconf import bind_correlation_id

_PLAIN = {
    "provider": "exact",
    "spec": {"duration": 1.0},
    "user_id": "ana",
    "resources": (0, 0),
    "user_levels": ("admin",),
}
LAST_JOB = Step(0.0, "submit", {"marker": "last", "request": {**_PLAIN, "idempotency_key": "last"}})
"""A job of the last phase. Where everything before it was lost with a backup of no jobs, it alone runs."""


class Clients:
    """All clients. ``unanswered``: submissions whose process ended first; the next process gets them."""

    def __init__(self, world: World, causes: Causes) -> None:
        self._world = world
        self.causes = causes
        self.unanswered: list[Step] = []
        self._do: Mapping[str, Callable[[RunningRuntime, Step], Awaitable[Any]]] = {
            "submit": self._submit,
            "refused": self._refused,
            "twice": self._twice,
            "batch": self._batch,
            "sweep": self._sweep,
            "limit": lambda runtime, step: runtime.queue.set_limit(step.args["name"], step.args["value"], by="op"),
            "reset_limits": lambda runtime, step: runtime.queue.reset_limits(by="op"),
            "pause": lambda runtime, step: runtime.queue.pause(step.args["provider"], "to see", by="op"),
            "resume": lambda runtime, step: runtime.queue.resume(step.args["provider"], by="op"),
            "follow": self._follow,
            "look": self._look,
            "wrong_call": lambda runtime, step: make_wrong_call(self._world, runtime, step.args["what"]),
        }
        self._do_to_job: Mapping[str, Callable[[RunningRuntime, Step, str], Awaitable[Any]]] = {
            "retry": self._retry,
            "retry_all": self._retry_all,
            "cancel": self._cancel,
            "approve": self._approve,
            "reject": self._reject,
            "settle": self._settle,
            "prioritise": lambda runtime, step, job_id: runtime.jobs.prioritise(job_id, step.args["override"], by="op"),
        }

    @property
    def kinds(self) -> set[str]:
        """The steps that are theirs."""
        return self._do.keys() | self._do_to_job.keys()

    async def act(self, process: Process, runtime: RunningRuntime, step: Step) -> None:
        """Do ``step``; any error of it is checked here."""
        answered = False
        try:
            with bind_correlation_id(f"client-{step.number}"):
                if step.kind in self._do:
                    await self._do[step.kind](runtime, step)
                elif (job_id := self._world.by_marker.get(step.args["marker"])) is not None:
                    await self._do_to_job[step.kind](runtime, step, job_id)
            answered = True
        except Refused as refusal:
            answered = True
            self._world.say(f"{step.kind} #{step.number} is refused: {refusal.kind}")
            self._world.trace.count(f"{step.kind} refused")
            self._world.note(self._refusal, step, refusal)
        except Exception as error:  # noqa: BLE001 - a client goes on after any error; `unplanned` decides
            self._world.say(f"{step.kind} #{step.number} fails: {type(error).__name__}")
            if not process.dead:
                self._world.note(require_planned, self._world, error, Rule.CLIENTS, str(step))
        finally:
            if not answered and (step.kind == "sweep" or step.args.get("request", {}).get("idempotency_key")):
                self.unanswered.append(step)

    def _refusal(self, step: Step, refusal: Refused) -> None:
        """What must not be refused for this reason."""
        if step.kind == "submit":
            own = refusal.field != "idempotency_key"
            self._world.require(own, Rule.OWN_KEY, f"{step.args['marker']}: {refusal}")
        if step.kind == "batch":
            right = refusal.field != "after" or "has no group" in str(refusal)  # drawn jobs may be of another group
            self._world.require(right, Rule.REFUSED, f"a right batch is refused: {refusal}")
        if step.kind in ("approve", "reject") and "expired at" in str(refusal):
            self.causes.came_too_late(self._world.by_marker[step.args["marker"]], str(refusal))

    # Submitting.

    async def _submit(self, runtime: RunningRuntime, step: Step) -> str:
        """Submit, and remember the answer; the job's ID."""
        marker, fields = step.args["marker"], step.args["request"]
        self.causes.asked("submit", marker)
        job = await runtime.submit(_request(marker, fields))
        self._remember(job, marker, fields)
        return job.job_id

    async def _twice(self, runtime: RunningRuntime, step: Step) -> None:
        """The same key from two places at once."""
        answers: list[str] = []

        async def one() -> None:
            with contextlib.suppress(Refused):  # too many wait
                answers.append(await self._submit(runtime, step))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(one)
        text = f"{step.args['marker']} became {answers}"
        self._world.note(self._world.require, len(set(answers)) <= 1, Rule.ONE_KEY, text)

    async def _refused(self, runtime: RunningRuntime, step: Step) -> None:
        marker = step.args["marker"]
        self.causes.asked("submit", marker)
        try:
            await runtime.submit(_request(marker, step.args["request"]))
        except Refused:
            self._world.refused.add(marker)
        was_refused = marker in self._world.refused
        self._world.note(self._world.require, was_refused, Rule.REFUSED, f"{step.args['request']} was accepted")

    async def _batch(self, runtime: RunningRuntime, step: Step) -> None:
        markers, requests = step.args["markers"], step.args["requests"]
        for marker in markers:
            self.causes.asked("submit", marker)
        try:
            accepted = await runtime.jobs.submit_many([_request(*pair) for pair in zip(markers, requests, strict=True)])
        except Refused:
            self._world.refused.update(markers)
            raise
        for one, marker, fields in zip(accepted, markers, requests, strict=True):
            self._remember(one.job, marker, fields)
            self._world.note(self._world.require, None not in one.warnings, Rule.SHOWN, f"warnings of {marker}: None")

    async def _sweep(self, runtime: RunningRuntime, step: Step) -> None:
        for name in sweeps.names(step.args):
            self.causes.asked("submit", name)
        for one in await sweeps.submit(self._world, runtime, dict(step.args)):
            self._remember(one.job, str(one.job.request.config_name), {})

    async def _retry(self, runtime: RunningRuntime, step: Step, job_id: str) -> None:
        job = await runtime.jobs.retry(job_id, by="op")
        self._world.acknowledge(Known(job.job_id, step.args["marker"] + "+", job.correlation_id, needs_approval=False))

    async def _retry_all(self, runtime: RunningRuntime, step: Step, job_id: str) -> None:
        for one in await runtime.jobs.submit_again(job_id, with_dependants=True):
            job = one.job
            self._world.acknowledge(Known(job.job_id, job.job_id, job.correlation_id, needs_approval=False))

    def _remember(self, job: Job, marker: str, fields: Mapping[str, Any]) -> None:
        if "idempotency_key" in fields:
            asked, got = (fields["user_id"], marker), (job.request.user_id, job.request.config_name)
            text = f"{asked} got the job of {got} under {fields['idempotency_key']}"
            self._world.note(self._world.require, asked == got, Rule.OWN_KEY, text)
        self._world.acknowledge(Known(job.job_id, marker, job.correlation_id, "requires_approval" in fields))

    # Deciding.

    async def _cancel(self, runtime: RunningRuntime, step: Step, job_id: str) -> None:
        self.causes.asked("cancel", job_id)
        await runtime.cancel(job_id, by="op")

    async def _approve(self, runtime: RunningRuntime, step: Step, job_id: str) -> None:
        self.causes.asked("approve", job_id, step.args["level"])
        granted = await runtime.approve(job_id, by="bo", level=step.args["level"])
        self._world.note(self._decided, job_id, granted.approval_id, ApprovalStatus.APPROVED)

    async def _reject(self, runtime: RunningRuntime, step: Step, job_id: str) -> None:
        self.causes.asked("reject", job_id, step.args["level"])
        rejected = await runtime.reject(job_id, by="bo", reason="no", level=step.args["level"])
        self._world.note(self._decided, job_id, rejected.approval_id, ApprovalStatus.REJECTED)

    async def _settle(self, runtime: RunningRuntime, step: Step, job_id: str) -> None:
        """By what is true of it, whether or not anybody doubts it."""
        runs = self.causes.runs_of(job_id)
        if runs:
            await runtime.jobs.settle(job_id, "ran", handle={"run": runs[-1].run_id}, by="op")

    def _decided(self, job_id: str, approval_id: str, status: ApprovalStatus) -> None:
        world = self._world
        world.trace.count(f"approval {status}")
        ((now,),) = world.database.look("SELECT status FROM approvals WHERE approval_id = ?", (approval_id,))
        world.require(now == status, Rule.ONE_END, f"{job_id}: {status} was acknowledged, the row says {now}")

    # Looking.

    async def _follow(self, runtime: RunningRuntime, step: Step) -> None:
        """A subscriber, perhaps a slow one: it gets every event once, in order, and delays no other."""
        last = 0
        with trio.move_on_after(step.args["seconds"]):
            async with runtime.events(after=0) as events:
                async for event in events:
                    text = f"{event.seq} came after {last}"
                    self._world.note(self._world.require, event.seq == last + 1, Rule.SUBSCRIBERS, text)
                    last = event.seq
                    if step.args["pause"]:
                        await trio.sleep(step.args["pause"])

    async def _look(self, runtime: RunningRuntime, step: Step) -> None:
        await runtime.queue.view()
        await runtime.jobs.page(limit=20)
        await runtime.approvals.page()
        await runtime.health.check()


def _request(marker: str, fields: Mapping[str, Any]) -> JobRequest:
    made = dict(fields)
    if (rerun := made.pop("rerun", None)) is not None:
        made["rerun"] = Rerun(**rerun | {"on": tuple(rerun["on"])})
    cpus, gpus = made.pop("resources")
    levels = tuple(made.pop("user_levels"))
    made["after"] = tuple(made.pop("after", ()))
    resources = Resources(cpus=cpus, gpus=gpus)
    return attrs.evolve(
        scripted_request(resources=resources, user_levels=levels, env_from=(), **made), config_name=marker
    )
