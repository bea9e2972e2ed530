"""Jobs that are not to start before a time (E4), and when nothing goes on any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.jobs.refusal import Refused
from actors.testing import request

FREE = Limits(total=100, per_user=100)


def at(world, seconds):
    return (world.clock.now() + timedelta(seconds=seconds)).isoformat()


async def started(runtime, job):
    entry = (await runtime.jobs.get(job.job_id)).entry
    return entry.started_at


async def test_it_starts_at_its_instant_and_its_age_counts_from_then(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        begun = world.clock.now()
        job = await world.submit(duration=1, start_after=at(world, 7200))
        view = await runtime.jobs.get(job.job_id)
        assert view.reason == f"starts at {begun + timedelta(hours=2):%Y-%m-%d %H:%M:%S} UTC"
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        entry = (await runtime.jobs.get(job.job_id)).entry
        assert timedelta(0) <= entry.started_at - (begun + timedelta(hours=2)) < timedelta(seconds=1)
        assert entry.queued_at == entry.started_at
        assert entry.start_after is None


async def test_an_instant_follows_the_wall_clock_and_a_wait_does_not(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        instant = await world.submit(duration=1, start_after=at(world, 3600))
        wait = await world.submit(duration=1, start_after="+1h")
        await trio.sleep(60)
        world.clock.move(timedelta(hours=1))
        await trio.sleep(60)
        assert (await runtime.jobs.row(instant.job_id)).status is JobStatus.COMPLETED
        assert (await runtime.jobs.row(wait.job_id)).status is JobStatus.PENDING
        left = (await runtime.jobs.get(wait.job_id)).entry.start_after - world.clock.now()
        assert abs(left.total_seconds() - (3600 - 120)) < 31
        world.clock.move(timedelta(hours=-5))
        await trio.sleep(3600)
        assert (await runtime.jobs.row(wait.job_id)).status is JobStatus.COMPLETED


async def test_with_parents_and_an_approval_it_is_eligible_when_the_last_of_all_three_holds(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        await world.submit(config_name="train", duration=100)
        job = await world.submit(after=("train",), start_after="+300", requires_approval="?", duration=1)
        await trio.sleep(50)
        await runtime.approve(job.job_id, by="bo")
        assert (await runtime.jobs.get(job.job_id)).reason == "waits for train (running)"
        await trio.sleep(100)
        view = await runtime.jobs.get(job.job_id)
        assert view.reason.startswith("starts at ")
        await runtime.wait(job.job_id)
        entry = (await runtime.jobs.get(job.job_id)).entry
        assert entry.started_at - job.created_at < timedelta(seconds=301)
        assert entry.queued_at - job.created_at >= timedelta(seconds=300)


async def test_a_blocked_job_whose_time_has_passed_starts_when_it_is_approved(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        job = await world.submit(start_after="+60", requires_approval="?", duration=1)
        await trio.sleep(120)
        assert (await runtime.jobs.get(job.job_id)).entry.start_after is None
        await runtime.approve(job.job_id, by="bo")
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_one_that_is_cancelled_meanwhile_wakes_nobody(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        job = await world.submit(start_after="+60")
        await runtime.cancel(job.job_id, by="ana")
        assert (await runtime.jobs.get(job.job_id)).entry.start_after is None
        await trio.sleep(120)
        assert (await runtime.jobs.row(job.job_id)).status is JobStatus.CANCELLED


async def test_a_retry_starts_at_once(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        job = await world.submit(start_after="+60", duration=1)
        await runtime.wait(job.job_id)
        again = await runtime.jobs.retry(job.job_id)
        assert again.request.start_after is None
        assert (await runtime.jobs.get(again.job_id)).entry.start_after is None


async def test_thousands_that_start_at_one_time_are_let_in_batches(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        await runtime.jobs.submit_many([request(start_after="+60") for _ in range(1200)])
        await trio.sleep(59)
        assert {view.position for view in (await runtime.queue.view(limit=1000)).waiting} == {None}
        await trio.sleep(3)
        assert sorted(view.position for view in (await runtime.queue.view(limit=1000)).waiting) == list(range(1000))


async def test_more_than_a_year_is_refused(autojump_clock, world):
    async with world.open() as runtime:
        with pytest.raises(Refused, match=r"start_after: must be within a year, not '\+367d'") as refused:
            await runtime.submit(request(start_after="+367d"))
        assert refused.value.field == "start_after"


@pytest.mark.parametrize(
    ("fields", "goes_on"),
    [
        ([{"requires_approval": "?"}], False),
        ([{"requires_approval": "?", "config_name": "a"}, {"after": ("a",), "config_name": "b"}, {"after": ("b",)}],
         False),
        ([{"requires_approval": "?", "config_name": "a"}, {"after": ("a",), "start_after": "+1h"}], False),
        ([{"start_after": "+1h"}], True),
        ([{"config_name": "a", "start_after": "+1h"}, {"after": ("a",)}], True),
        ([{}], True),
        ([{"requires_approval": "?", "start_after": "+1h"}], False),
    ],
)  # fmt: skip
async def test_when_nothing_goes_on_by_itself(autojump_clock, world, fields, goes_on):
    async with world.open(limits=Limits(total=0)) as runtime:
        await runtime.jobs.submit_many([request(**one) for one in fields])
        await trio.sleep(10)
        assert await runtime.queue.is_idle() is not goes_on
