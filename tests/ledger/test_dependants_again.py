"""Retries of jobs that wait for others, and of those that others wait for (E3)."""

from __future__ import annotations

import pytest
import trio

from actors.job_requests.rights import Submitter
from actors.job_requests.sources import RequestSource
from actors.jobs import maxima
from actors.jobs.records import JobStatus
from actors.jobs.refusal import Refused
from tests.ledger.dependencies import FREE, named, statuses, submitted


async def test_a_retry_keeps_what_it_waits_for_and_is_refused_after_a_bad_end(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        a, b, c = await submitted(
            runtime,
            named("a", duration=5, result="failed"),
            named("b", "a"),
            named("c", "a", after_mode="ended", result="failed"),
        )
        await runtime.wait(c.job_id)
        with pytest.raises(Refused, match=r"after: a \(.*\) failed, so this job would never start"):
            await runtime.jobs.retry(b.job_id)
        again = await runtime.jobs.retry(c.job_id)
        assert [one.job_id for one in (await runtime.jobs.get(again.job_id)).waits_for.jobs] == [a.job_id]
        anew = await runtime.jobs.retry(a.job_id)
        assert (await runtime.jobs.get(anew.job_id)).dependants.number == 0
        await runtime.wait(anew.job_id)
        assert await statuses(runtime, b) == [JobStatus.CANCELLED]  # a retry of the parent revives nobody


async def test_a_retry_with_dependants_submits_anew_all_that_were_cancelled_because_of_it(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        a, other, b, *rest = await submitted(
            runtime,
            named("a", duration=5, result="failed"),
            named("other", duration=9, result="failed"),
            named("b", "a"),
            named("c", "b", "a"),
            named("d", "c", after_mode="ended", duration=1),
            named("e", "c", "other"),
            named("apart", "a", user_id="bo"),
        )
        await runtime.wait(rest[1].job_id)
        await trio.sleep(60)
        assert await statuses(runtime, b, rest[0], rest[2]) == [JobStatus.CANCELLED] * 3
        new = [one.job for one in await runtime.jobs.submit_again(a.job_id, with_dependants=True)]
        assert [one.request.config_name for one in new] == ["a", "b", "apart", "c"]  # not e: another end is in its way
        assert len({one.job_id for one in new} & {one.job_id for one in (a, other, b, *rest)}) == 0
        anew = dict(zip(["a", "b", "apart", "c"], new, strict=True))
        waits_for = {name: (await runtime.jobs.get(job.job_id)).waits_for.jobs for name, job in anew.items()}
        assert {one.job_id for one in waits_for["c"]} == {anew["a"].job_id, anew["b"].job_id}
        assert [one.job_id for one in waits_for["b"]] == [anew["a"].job_id]
        assert anew["apart"].request.user_id == "bo"


async def test_over_the_network_only_ones_own_are_submitted_anew(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        a, *_, last = await submitted(
            runtime, named("a", result="failed"), named("mine", "a"), named("theirs", "a", user_id="bo")
        )
        await runtime.wait(last.job_id)
        await trio.sleep(10)
        ana = Submitter(RequestSource.TCP, "ana", "lead")
        again = await runtime.jobs.submit_again(a.job_id, submitter=ana, with_dependants=True)
        new = [one.job for one in again]
        assert [one.request.config_name for one in new] == ["a", "mine"]


async def test_a_job_and_its_dependants_are_submitted_anew_where_one_request_may_have_as_many(
    autojump_clock, world, monkeypatch
):
    async with world.open(limits=FREE) as runtime:
        two, three = [
            await submitted(
                runtime, named(f"a{number}", result="failed"), *(named(name, f"a{number}") for name in names)
            )
            for number, names in ((2, "bc"), (3, "bcd"))
        ]
        for job in (*two, *three):
            await runtime.wait(job.job_id)
        monkeypatch.setattr(maxima, "BATCH_JOBS", 3)
        assert len(await runtime.jobs.submit_again(two[0].job_id, with_dependants=True)) == 3
        with pytest.raises(Refused, match=f"more than 3 jobs were cancelled because of {three[0].job_id}"):
            await runtime.jobs.submit_again(three[0].job_id, with_dependants=True)
