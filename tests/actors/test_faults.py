"""Faults on purpose, as a user would put them into tests of a program that embeds the runtime."""

from __future__ import annotations

import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.testing import FaultPlan

POINTS = [
    ("provider.before:scripted.submit", "crash"),
    ("provider.after:scripted.submit", "crash"),
    ("provider.after:scripted.submit", "hang"),
    ("provider.before:scripted.submit", "delay"),
    ("provider.before:scripted.observe", "crash"),
    ("provider.after:scripted.observe", "crash"),
    ("provider.before:scripted.find", "crash"),
    ("receive.before:scheduler", "crash"),
    ("receive.after:scheduler", "crash"),
    ("receive.before:poller", "crash"),
    ("start.before:scheduler", "crash"),
]


@pytest.mark.parametrize(("point", "do"), POINTS)
async def test_every_job_ends_well_and_runs_once_whatever_breaks_on_the_way(autojump_clock, world, point, do):
    options = {"delay": 7.0} if do == "delay" else {}
    plan = FaultPlan(seed=1).at(point, occurrence=2, do=do, **options)
    async with world.open(limits=Limits(total=2)) as runtime:
        with plan:
            jobs = [await world.submit(duration=4 + n, user_id=f"u{n}") for n in range(5)]
            for job in jobs:
                assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    assert len(world.remote.runs) == 5


@pytest.mark.parametrize("occurrence", range(1, 16))
@pytest.mark.parametrize("point", ["commit.before:store", "commit.after:store"])
async def test_a_commit_that_breaks_its_caller_loses_nothing(autojump_clock, world, point, occurrence):
    """Whoever is hit crashes and is started again, or fails one request; the rows say what is true."""
    async with world.open(limits=Limits(total=2)) as runtime:
        jobs = [await world.submit(duration=4 + n, user_id=f"u{n}") for n in range(4)]
        with FaultPlan(seed=1).at(point, occurrence=occurrence, do="crash"):
            await trio.sleep(120)
        for job in jobs:
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        numbers = [event.seq for event in await world.events()]
    assert len(world.remote.runs) == 4
    assert numbers == list(range(1, len(numbers) + 1))
