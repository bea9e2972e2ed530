"""Requests that name others, and what became of their jobs."""

from __future__ import annotations

from actors.jobs.options import Limits
from actors.testing import request

FREE = Limits(total=100, per_user=100)
"""Limits that stand in nobody's way."""


def named(name, *after, **fields):
    return request(config_name=name, after=after, **fields)


async def submitted(runtime, *requests, **options):
    return [one.job for one in await runtime.jobs.submit_many(requests, **options)]


async def statuses(runtime, *jobs):
    return [(await runtime.jobs.row(job.job_id)).status for job in jobs]
