"""What an actor changes about a job is logged and stored under the job's ID, with the ID of the actor's cycle (A14)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.options import ApprovalOptions
from actors.jobs.records import Rerun
from actors.providers.scripted import Fault, FaultKind
from actors.providers.scripted.faults import Refusal
from logconf import bind_correlation_id
from logconf.testing import capture_logs
from tests.runtime_fixtures import World

TRAIL = "trail-of-ana-7"
BY_REQUEST = frozenset({"job_queued", "approval_requested"})
"""Events of the request that submits a job; all others below are written by actors."""

ANSWERS = [
    *(Fault(FaultKind.REFUSED, ("submit",), refusal=refusal) for refusal in Refusal),
    *(
        Fault(kind, ("submit",))
        for kind in (FaultKind.DOWN, FaultKind.LOST_ANSWER, FaultKind.GARBAGE, FaultKind.CRASH, FaultKind.HANG)
    ),
]


def _name(fault: Fault | None) -> str:
    if fault is None:
        return "accepted"
    return f"refused {fault.refusal}" if fault.kind is FaultKind.REFUSED else fault.kind.value


def _of_actors(lines: list[dict[str, Any]], job_id: str) -> list[dict[str, Any]]:
    """The lines that record a change of the job or tell of its hand-over, but for those of the submission itself."""
    about = [line for line in lines if line["extra"].get("job_id") == job_id]
    assert {line["correlation_id"] for line in about} == {TRAIL}
    changes = [line for line in about if line["extra"].get("event", "") not in ("", *BY_REQUEST)]
    return changes + [line for line in about if line["message"].startswith("Job was not accepted")]


async def _written(world: World, seconds: float, *, settings: dict[str, Any] | None = None, **fields: Any) -> set[str]:
    """The types of all events that actors write about one job within this time; each is checked."""
    with capture_logs(logging.DEBUG) as lines:
        async with world.open(**(settings or {})):
            with bind_correlation_id(TRAIL):
                job = await world.submit(**fields)
            await trio.sleep(seconds)
            events = [event for event in await world.events(job.job_id) if event.type not in BY_REQUEST]
    for event in events:
        assert event.data.get("cycle_id", TRAIL) != TRAIL, event
    told = _of_actors(lines, job.job_id)
    assert [line["message"] for line in told if line["extra"].get("cycle_id", TRAIL) == TRAIL] == []
    assert {line["extra"].get("event") for line in told} >= {event.type for event in events}
    return {event.type for event in events}


@pytest.mark.parametrize("fault", [None, *ANSWERS], ids=_name)
async def test_whatever_becomes_of_a_hand_over_names_the_cycle(
    autojump_clock: MockClock, world: World, fault: Fault | None
) -> None:
    if fault is not None:
        world.remote.inject(fault)
    types = await _written(world, 120, duration=5)
    assert "job_dispatched" in types
    assert len(types) >= 2


async def test_so_do_another_run_and_an_expired_approval(autojump_clock: MockClock, world: World) -> None:
    assert "job_rerun" in await _written(world, 300, duration=5, interruptions=1, rerun=Rerun(times=1))
    soon = {"approvals": ApprovalOptions(timeout_hours=1)}
    assert "approval_expired" in await _written(world, 4000, settings=soon, requires_approval="look")


async def test_an_answer_that_no_look_records_names_the_cycle_that_claimed(
    autojump_clock: MockClock, world: World
) -> None:
    """At a stop the hand-over records its answer itself."""
    world.remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=3))
    async with world.open() as runtime:
        with bind_correlation_id(TRAIL):
            job = await world.submit(duration=100)
        await trio.sleep(0.5)
        await runtime.quiesce()
        cycles = {event.type: event.data.get("cycle_id") for event in await world.events(job.job_id)}
    assert cycles["job_handed_over"] == cycles["job_dispatched"] is not None
