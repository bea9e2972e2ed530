"""Lists in pages: a cursor belongs to the filters with which its page was asked for, in whatever way they are given."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import text

from actors.jobs import maxima
from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import JobOrder, JobSort
from actors.testing import request

WAITING = {"limits": Limits(total=0)}


async def test_a_cursor_is_good_for_the_same_filters_and_no_others(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        for user in ("ana", "bo", "ana", "bo"):
            await world.submit(user_id=user, group="g")
        first = await runtime.jobs.page(limit=1, user_id="ana", statuses=(JobStatus.PENDING,))
        for same in ({"statuses": (JobStatus.PENDING,)}, {"statuses": [JobStatus.PENDING], "group": None}):
            (found,) = await runtime.jobs.page(limit=9, cursor=first.next, user_id="ana", **same)
            assert found.job.request.user_id == "ana"
            assert found.job.job_id < first[0].job.job_id
        for other in (
            {"user_id": "bo", "statuses": (JobStatus.PENDING,)},
            {"user_id": "ana", "statuses": (JobStatus.FAILED,)},
            {"user_id": "ana", "statuses": (JobStatus.PENDING, JobStatus.FAILED)},
            {"user_id": "ana"},
            {"user_id": "ana", "statuses": (JobStatus.PENDING,), "group": "g"},
        ):
            with pytest.raises(Refused) as refused:
                await runtime.jobs.page(limit=1, cursor=first.next, **other)
            assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "cursor")


async def test_jobs_older_than_one_are_listed_and_that_must_be_the_id_of_one(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        jobs = [(await world.submit()).job_id for _ in range(3)]
        assert [one.job.job_id for one in await runtime.jobs.page()] == jobs[::-1]
        assert [one.job.job_id for one in await runtime.jobs.page(before=jobs[1])] == jobs[:1]
        for wrong in (jobs[1].upper(), "a b", "", "é"):
            with pytest.raises(Refused, match="before: must be the id of a job") as refused:
                await runtime.jobs.page(before=wrong)
            assert refused.value.field == "before"


async def test_a_hundred_jobs_that_wait_at_their_providers_are_shown_with_the_queue(autojump_clock, world):
    """The jobs themselves are all in the list of jobs."""

    def queue_there(tx):
        tx.connection.execute(text("UPDATE jobs SET status = 'queued', waiting_reason = 'Priority'"))

    async with world.open(limits=Limits(total=101, per_user=101)) as runtime:
        await runtime.jobs.submit_many([request(duration=1_000) for _ in range(101)])
        await runtime.ledger.write(queue_there)
        assert len((await runtime.queue.view()).at_providers) == 100


async def test_every_list_has_pages_of_none_to_a_maximum_of_rows(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        await world.submit(group="g")
        for page in (
            runtime.jobs.page,
            partial(runtime.jobs.page, order=JobOrder(JobSort.NAME)),
            runtime.approvals.page,
            runtime.notifications.page,
            runtime.queue.view,
            partial(runtime.series.compare, "g", "ana"),
        ):
            for limit in (0, maxima.ROWS):
                await page(limit=limit)
            for limit in (-1, maxima.ROWS + 1):
                with pytest.raises(Refused, match=f"limit: must be from 0 to {maxima.ROWS}, not {limit}") as refused:
                    await page(limit=limit)
                assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "limit")


async def test_the_last_page_of_a_comparison_may_be_full(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        jobs = [(await world.submit(group="g")).job_id for _ in range(4)]
        first = await runtime.series.compare("g", "ana", limit=2)
        second = await runtime.series.compare("g", "ana", limit=2, cursor=first.next)
        assert [one.job_id for one in (*first, *second)] == jobs
        assert second.next is None
        assert list(await runtime.series.compare("g", "ana", limit=4)) == [*first, *second]
