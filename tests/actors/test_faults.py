"""Faults on purpose, as a user would put them into tests of a program that embeds the runtime."""

from __future__ import annotations

import pytest
import trio

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import JobStatus
from actors.ledger.approvals import expire
from actors.store import StoreUnavailable
from actors.testing import FaultPlan

POINTS = [
    ("provider.before:scripted.submit", "crash"),
    ("provider.after:scripted.submit", "crash"),
    ("provider.after:scripted.submit", "hang"),
    ("provider.before:scripted.submit", "delay"),
    ("provider.before:scripted.observe", "crash"),
    ("provider.after:scripted.observe", "crash"),
    ("receive.before:scheduler", "crash"),
    ("receive.after:scheduler", "crash"),
    ("receive.before:poller", "crash"),
]
AFTER_ANOTHER = [
    ("provider.after:scripted.submit", "provider.before:scripted.find"),
    ("receive.before:scheduler", "start.before:scheduler"),
]
"""Points that are passed only after a crash at another one: a question about a lost answer, a start anew."""


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


@pytest.mark.parametrize(("first", "then"), AFTER_ANOTHER)
async def test_a_second_fault_while_the_first_is_made_good_changes_nothing(autojump_clock, world, first, then):
    plan = FaultPlan(seed=1).at(first, occurrence=2).at(then, occurrence=1)
    async with world.open(limits=Limits(total=2)) as runtime:
        with plan:
            jobs = [await world.submit(duration=4 + n, user_id=f"u{n}") for n in range(5)]
            for job in jobs:
                assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    assert [one.point.partition(":")[0] for one in plan.happened] == [one.partition(":")[0] for one in (first, then)]
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


@pytest.mark.parametrize("faults", [1, 4])
async def test_an_approval_whose_expiry_the_disk_refused_expires_soon_after(autojump_clock, world, monkeypatch, faults):
    """Neither at the next beat, which may be minutes away, nor again and again without a pause."""
    async with world.open(approvals=ApprovalOptions(timeout_hours=1)) as runtime:
        real, tried = runtime.ledger.write, []

        async def refused_at_first(verb, *args, **kwargs):
            if verb is not expire:
                return await real(verb, *args, **kwargs)
            tried.append(trio.current_time())
            if len(tried) <= faults:
                raise StoreUnavailable("the disk is full")
            return await real(verb, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "write", refused_at_first)
        job = await world.submit(requires_approval="to be looked at")
        await runtime.wait(job.job_id)
        late = (await runtime.jobs.get(job.job_id)).job.completed_at - job.created_at
    assert late.total_seconds() == pytest.approx(3600 + 5 * faults, abs=0.5)
    assert len(tried) == faults + 1


async def test_an_approval_found_overdue_by_an_expiry_that_was_restarted_expires_soon_after_a_fault(
    autojump_clock, world, monkeypatch
):
    """The first sweep of an incarnation knows of no deadline yet."""
    async with world.open(approvals=ApprovalOptions(timeout_hours=1)) as runtime:
        real, tried = runtime.ledger.write, []

        async def refused(verb, *args, **kwargs):
            if verb is not expire:
                return await real(verb, *args, **kwargs)
            tried.append(trio.current_time())
            if len(tried) <= 6:  # five fail the actor, one more meets its successor
                raise StoreUnavailable("the disk is full")
            return await real(verb, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "write", refused)
        job = await world.submit(requires_approval="to be looked at")
        await runtime.wait(job.job_id)
        late = (await runtime.jobs.get(job.job_id)).job.completed_at - job.created_at
    assert late.total_seconds() < 3600 + 40
