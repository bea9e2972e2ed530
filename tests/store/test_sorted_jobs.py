"""Lists in the order of a column hold what sorting all jobs by it gives, page by page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from actors.jobs.ids import IdFactory
from actors.jobs.records import Job, JobRequest, JobStatus
from actors.jobs.refusal import Refused
from actors.jobs.views import JobOrder, JobSort
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, jobs, sorted_jobs
from tests.statement_plans import SORTED, statements

NOW = datetime(2024, 1, 1, tzinfo=UTC)
VALUES: dict[JobSort, Any] = {
    JobSort.CREATED: lambda job: (),
    JobSort.NAME: lambda job: (job.request.config_name, job.request.user_id),
    JobSort.USER: lambda job: (job.request.user_id, job.status.value),
    JobSort.STATUS: lambda job: (job.status.value,),
    JobSort.PROVIDER: lambda job: (job.provider, job.status.value),
    JobSort.GROUP: lambda job: (job.request.group, job.request.user_id, job.status.value),
    JobSort.STARTED: lambda job: (job.started_at,),
    JobSort.ENDED: lambda job: (job.completed_at,),
}
FILTERS: list[dict[str, Any]] = [
    {},
    {"statuses": (JobStatus.FAILED, JobStatus.RUNNING), "user_id": "user-1"},
    {"name": "t*", "provider": "one", "since": NOW + timedelta(minutes=20), "until": NOW + timedelta(minutes=90)},
    {"text": "train", "group": "sweep"},
]


def some(number: int) -> list[Job]:
    random, ids = Random(3), IdFactory(Random(4).getrandbits)
    made = []
    for at in range(number):
        request = JobRequest(
            provider=random.choice(["one", "two"]), user_id=f"user-{at % 3}", group=random.choice([None, "sweep"]),
            config_name=random.choice(["train-1", "train-2", "Test", "ü\U0001f600", None]),
        )  # fmt: skip
        moment = NOW + timedelta(minutes=at)
        started = random.choice([None, moment + timedelta(seconds=random.randrange(4))])
        completed = random.choice([None, NOW + timedelta(hours=random.randrange(4))])
        status = random.choice(list(JobStatus))
        made.append(Job(ids.new(moment), status, request.provider, "c", request, moment, moment, started, completed))
    return made


def expected(made: list[Job], order: JobOrder, filters: dict[str, Any]) -> list[str]:
    """By another way: all jobs in memory."""
    fitting = [
        job for job in made
        if job.status in filters.get("statuses", tuple(JobStatus))
        and filters.get("user_id") in (None, job.request.user_id)
        and filters.get("provider") in (None, job.provider)
        and filters.get("group") in (None, job.request.group)
        and ("name" not in filters or (job.request.config_name or "").startswith("t"))
        and ("text" not in filters or "train" in (job.request.config_name or ""))
        and ("since" not in filters or filters["since"] <= job.created_at < filters["until"])
    ]  # fmt: skip
    value = VALUES[order.sort]
    having = [job for job in fitting if None not in value(job)[:1]]
    having.sort(key=lambda job: (*value(job), job.job_id), reverse=order.descending)
    lacking = sorted((job for job in fitting if None in value(job)[:1]), key=lambda job: job.job_id, reverse=True)
    return [job.job_id for job in [*having, *lacking]]


async def test_every_order_with_every_filter_page_by_page() -> None:
    made = some(150)
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    await store.write(lambda tx: jobs.add(tx.connection, made))

    def walk(connection: Any, order: JobOrder, filters: Any, limit: int) -> list[str]:
        found: list[str] = []
        after, more = None, True
        while more:
            page, more = sorted_jobs.page(connection, order, after, limit, filters)
            assert len(page) == limit or not more
            found += [job.job_id for job in page]
            after = sorted_jobs.place_of(page[-1], order.sort) if page else None
        return found

    for sort in JobSort:
        for descending in (True, False):
            for filters in FILTERS:
                order = JobOrder(sort, descending=descending)
                for limit in (7, 50):
                    found = await store.read(partial(walk, order=order, filters=filters, limit=limit))
                    assert found == expected(made, order, filters), (order, filters, limit)
    sorting = [line for text, plan in statements.items() if re.search(SORTED, text, re.DOTALL) for line in plan]
    assert sorting
    assert [line for line in sorting if "TEMP B-TREE" in line] == []  # no page sorts anything
    await store.aclose()


async def test_a_page_behind_a_removed_job_is_refused_where_its_row_is_needed() -> None:
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    gone = sorted_jobs.Place("gone", "failed", -1)
    for order in (JobOrder(JobSort.NAME), JobOrder(JobSort.USER)):
        with pytest.raises(Refused, match="cursor: goes on behind a job that was removed"):
            await store.read(partial(sorted_jobs.page, order=order, after=gone, limit=10, filters={}))
    assert await store.read(
        lambda connection: sorted_jobs.page(connection, JobOrder(JobSort.STATUS), gone, 10, {})
    ) == ([], False)
    await store.aclose()
