"""A thousand active jobs at Replicate: a cycle costs requests by pages, not by jobs; ``bench_poller`` has ten times as
many, and times it."""

from __future__ import annotations

import math

import pytest
import trio

from actors.jobs.records import JobRequest, JobStatus
from actors.testing.fake_replicate import Outcome, Script
from tests.providers.account import Account, account

__all__ = ["account"]

MANY = 1_000
PAGES = math.ceil(MANY / 100)
BESIDE = 2
"""Requests of a cycle that are no pages of the list, at the most."""
BEAT = 30

pytestmark = pytest.mark.parts


async def handed_over(account: Account, many: int) -> None:
    """So many jobs, all of them running and looked at before."""
    account.fake.script("*", Script(outcome=Outcome.NEVER))
    asked = JobRequest(provider="replicate", spec={"model": "ana/m"}, user_id="ana", inherited_env={})
    await account.runtime.jobs.submit_many([asked] * many)
    while len(account.fake.jobs()) < many:  # noqa: ASYNC110 - virtual time, and the fake tells nobody
        await trio.sleep(5)
    await trio.sleep(2 * BEAT)


async def test_a_cycle_asks_for_pages_and_misses_no_job_however_old(autojump_clock, account):
    async with account.open(total=MANY) as runtime:
        await handed_over(account, MANY)
        account.fake.requests.clear()
        await trio.sleep(4 * BEAT)
        asked = [call.path for call in account.fake.calls()]
        assert asked.count("/v1/predictions") >= 4 * PAGES
        assert len(asked) <= 4 * (PAGES + BESIDE)
        for job in account.fake.jobs()[:50] + account.fake.jobs()[-50:]:
            job.script = Script(seconds=0)
        await trio.sleep(BEAT + 5)
        ended = await runtime.jobs.page(statuses=[JobStatus.COMPLETED], limit=1000)
        assert len(ended) == 100


async def test_few_among_many_older_ones_are_asked_for_by_name(autojump_clock, account):
    """An account's history is not walked for the sake of three jobs."""
    for _ in range(1_000):
        account.fake.create("prediction", "bo/other", "v", {})
    async with account.open(total=3) as runtime:
        await handed_over(account, 3)
        for _ in range(1_000):
            account.fake.create("prediction", "bo/other", "v", {})
        account.fake.requests.clear()
        await trio.sleep(4 * BEAT)
        assert len(account.fake.requests) <= 4 * (3 + BESIDE)
        for job in account.made("m"):
            job.script = Script(seconds=0)
        await trio.sleep(BEAT + 5)
        assert len(await runtime.jobs.page(statuses=[JobStatus.COMPLETED])) == 3


async def test_a_list_too_slow_to_be_read_in_one_look_hides_no_job(autojump_clock, account):
    """Each look is cut off after three pages of five; the next one goes on from there, and then from the top again."""
    async with account.open(total=500, latency=4.5) as runtime:
        account.fake.script("*", Script(outcome=Outcome.NEVER))
        asked = JobRequest(provider="replicate", spec={"model": "ana/m"}, user_id="ana", inherited_env={})
        await runtime.jobs.submit_many([asked] * 500)
        while len(account.fake.jobs()) < 500:  # noqa: ASYNC110 - virtual time, and the fake tells nobody
            await trio.sleep(5)
        await trio.sleep(4 * BEAT)
        for job in account.fake.jobs()[:20] + account.fake.jobs()[-20:]:
            job.script = Script(seconds=0)
        await trio.sleep(6 * BEAT)
        assert len(await runtime.jobs.page(statuses=[JobStatus.COMPLETED], limit=1000)) == 40
