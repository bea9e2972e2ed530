"""Jobs that run again: their requests, what interrupts them, and what must hold of their runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

from actors.jobs.events import EventType
from actors.jobs.records import Event, Phase
from actors.providers.base import Idempotency
from actors.providers.scripted import Run
from actors.simulation.rules import Rule
from actors.simulation.step import Step
from actors.simulation.world import PROVIDERS, World

_KINDS = {Phase.FAILED: "failed", Phase.TIMED_OUT: "timed_out"}


def with_reruns(draw: Random, steps: Sequence[Step]) -> list[Step]:
    """``steps``, of which some submissions ask to run again. Drawn apart, so that nothing else depends on it."""
    change = partial(_with_rerun, draw)
    return [step if step.kind == "refused" else step.with_requests(change) for step in steps]


def _with_rerun(draw: Random, request: dict[str, Any]) -> dict[str, Any]:
    if draw.random() < 0.6:
        return request
    on = draw.choice([["interrupted"], ["interrupted"], ["interrupted", "failed"], ["timed_out"]])
    rerun = {"times": draw.choice([1, 1, 2, 3]), "on": on, "delay": draw.choice([0.0, 5.0, 20.0])}
    return request | {"rerun": rerun}


def interruptions(draw: Random, seconds: float) -> Iterator[Step]:
    """In two worlds of three nodes are lost, or do not answer for a while."""
    if draw.random() < 1 / 3:
        return
    for _ in range(draw.choice([2, 6, 12])):
        at, provider = round(draw.uniform(0, seconds), 3), draw.choice(["exact", "search", "blind", "hooked"])
        if draw.random() < 0.3:
            fault = {"kind": "unreachable", "calls": ["observe"], "times": None}
            yield Step(at, "provider", {"provider": provider, "seconds": draw.choice([20.0, 300.0]), "fault": fault})
        else:
            yield Step(at, "interrupt", {"provider": provider, "share": draw.choice([0.3, 1.0])})


class Attempts:
    """The rules about all runs of one job."""

    def __init__(self, world: World) -> None:
        self._world = world

    def accepted(self, provider: str, job_id: str, runs: Sequence[Run]) -> None:
        """The last of ``runs`` has just been accepted; those before it have ended, by what the job runs again after.

        Where a provider cannot be asked for a key, nobody knows after a restore how often the job has run.
        """
        world, keys = self._world, [run.key for run in runs]
        if len(runs) == 1:
            world.require(True, Rule.ONE_RUN, "")
            return
        ((times, on),) = world.database.look(
            "SELECT coalesce(json_extract(request, '$.rerun.times'), 0),"
            " coalesce(json_extract(request, '$.rerun.on'), '[\"interrupted\"]') FROM jobs WHERE job_id = ?",
            (job_id,),
        )
        now, before, kinds = world.true_now(), runs[:-1], json.loads(on)
        over = all(run.timeline.ended(now) and _kind(run) in kinds for run in before)
        world.require(times and over, Rule.ONE_RUN, f"{job_id} runs as {keys}")
        world.trace.count(f"again: {_kind(before[-1])}")
        if world.restored and PROVIDERS[provider].idempotency is not Idempotency.CLIENT_ID:
            return
        world.require(len(set(keys)) == len(keys), Rule.KEY_OF_ATTEMPT, f"{job_id} runs as {keys}")
        if times and over:
            text = f"{job_id} runs as {keys}, and was to run again {times} times"
            world.require(len(before) <= times, Rule.RERUNS, text)

    def wait_of(self, event: Event) -> float:
        """Seconds that the job of a ``job_rerun`` event has to wait at least."""
        assert event.type == EventType.JOB_RERUN
        ((delay,),) = self._world.database.look(
            "SELECT coalesce(json_extract(request, '$.rerun.delay'), 30.0) FROM jobs WHERE job_id = ?", (event.job_id,)
        )
        return float(delay) * 2.0 ** (int(event.data["rerun"]) - 1)


def _kind(run: Run) -> str:
    """How a run ended, as a request names it; "" for what is never run again."""
    timeline = run.timeline
    return "interrupted" if timeline.interrupted else _KINDS.get(timeline.ending, "")
