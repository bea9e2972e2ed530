"""Whom a job waits for: names, ids and groups, what is fixed at submission, and what is refused (E3)."""

from __future__ import annotations

import pytest

from actors.jobs import maxima
from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.jobs.refusal import RefusalKind, Refused
from tests.ledger.dependencies import FREE, named, submitted


async def test_a_job_of_an_earlier_submission_is_named_by_id_name_or_part_of_the_id(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        (train,) = await submitted(runtime, named("train", duration=60))
        for reference in (train.job_id, "train", train.job_id[-6:], train.job_id[-9:].upper()):
            (job,) = await submitted(runtime, named("eval", reference))
            assert (await runtime.jobs.get(job.job_id)).waits_for.jobs[0].job_id == train.job_id


async def test_what_has_ended_well_already_need_not_be_waited_for(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        (good, bad) = await submitted(runtime, named("good"), named("bad", result="failed"))
        await runtime.wait(good.job_id)
        await runtime.wait(bad.job_id)
        one, other = await submitted(runtime, named("one", "good"), named("other", "bad", after_mode="ended"))
        assert (await runtime.jobs.get(one.job_id)).entry.unfinished_parents == 0
        assert (await runtime.wait(one.job_id)).status is JobStatus.COMPLETED
        assert (await runtime.wait(other.job_id)).status is JobStatus.COMPLETED
        with pytest.raises(
            Refused, match=rf"after: bad \({bad.job_id}\) failed, so this job would never start"
        ) as refused:
            await submitted(runtime, named("third", "bad"))
        assert refused.value.field == "after"


@pytest.mark.parametrize(
    ("requests", "why"),
    [
        ([named("eval", "trian"), ], "there is no job 'trian'; did you mean train?"),
        ([named("eval", "nothing-like-it")], "there is no job 'nothing-like-it'"),
        ([named("eval", "eval")], "'eval' is this job itself"),
        ([named("eval", "later"), named("later")], "'later' is a later job of this submission; put it before"),
        ([named("x"), named("x"), named("eval", "x")], "2 jobs of this submission are called 'x'; give them different"),
        ([named("eval", "twin")], "2 jobs are named 'twin': "),
        ([named("eval", {"group": "none"})], "user ana has no group 'none'"),
    ],
)  # fmt: skip
async def test_what_is_no_one_job_is_refused_by_name(autojump_clock, world, requests, why):
    async with world.open(limits=Limits(total=0)) as runtime:
        await submitted(runtime, named("train"), named("twin"), named("twin"))
        with pytest.raises(Refused) as refused:
            await submitted(runtime, *requests)
        which = next(place for place, one in enumerate(requests, 1) if one.config_name == "eval")
        where = f"job {which}: " if len(requests) > 1 else ""
        assert str(refused.value).startswith(f"{where}after: {why}")
        assert refused.value.kind is RefusalKind.INVALID
        assert len(await runtime.jobs.page()) == 3


async def test_the_users_own_job_is_meant_whatever_others_have(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        (theirs,) = await submitted(runtime, named("train", user_id="bo"))
        (job,) = await submitted(runtime, named("eval", "train"))
        assert (await runtime.jobs.get(job.job_id)).waits_for.jobs[0].job_id == theirs.job_id
        (mine,) = await submitted(runtime, named("train"))
        (job,) = await submitted(runtime, named("eval", "train"))
        assert (await runtime.jobs.get(job.job_id)).waits_for.jobs[0].job_id == mine.job_id


async def test_only_jobs_that_the_submitter_may_see(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        (theirs,) = await submitted(runtime, named("secret", user_id="bo"))
        for reference in ("secret", theirs.job_id, theirs.job_id[-8:], "secre"):
            with pytest.raises(Refused, match=rf"^after: there is no job '{reference}'$"):
                await submitted(runtime, named("eval", reference), sees="ana")


async def test_in_a_group_a_job_of_the_same_name_stands_for_the_one_that_failed(autojump_clock, world):
    """As in a file whose failed line was corrected, and whose last line waits for the group."""
    async with world.open(limits=FREE) as runtime:
        good, bad = await submitted(runtime, named("a", group="g"), named("b", group="g", result="failed"))
        await runtime.wait(good.job_id)
        await runtime.wait(bad.job_id)
        with pytest.raises(Refused, match=r"b \(.*\) failed, so this job would never start"):
            await submitted(runtime, named("c", group="g"), named("report", {"group": "g"}))
        corrected, report = await submitted(
            runtime, named("b", group="g", duration=60), named("report", {"group": "g"})
        )
        parents = (await runtime.jobs.get(report.job_id)).waits_for.jobs
        assert {one.job_id for one in parents} == {good.job_id, corrected.job_id}


async def test_a_group_is_all_its_jobs_so_far_those_of_the_same_submission_too(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        one, *_ = await submitted(runtime, named("a", group="g"), named("z", group="g", user_id="bo"))
        two, best, *_ = await submitted(
            runtime, named("b", group="g"), named("best", {"group": "g"}, group="g"), named("c", group="g")
        )
        waits_for = (await runtime.jobs.get(best.job_id)).waits_for
        assert {parent.job_id for parent in waits_for.jobs} == {one.job_id, two.job_id}


async def test_a_job_that_is_there_under_its_key_can_be_named_again(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        train = named("train", idempotency_key="t", duration=5)
        (first,) = await submitted(runtime, train)
        await runtime.wait(first.job_id)
        same, check = await submitted(runtime, train, named("check", "train"))
        assert same.job_id == first.job_id
        assert (await runtime.wait(check.job_id)).status is JobStatus.COMPLETED


async def test_a_job_and_a_submission_wait_for_so_many_jobs_and_not_for_one_more(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(maxima, "PARENTS", 3)
    monkeypatch.setattr(maxima, "BATCH_PARENTS", 5)
    async with world.open(limits=Limits(total=0)) as runtime:
        await submitted(runtime, *(named(name) for name in "abcd"))
        await submitted(runtime, named("three", *"abc"), named("two", *"ab"))
        for requests, most in (
            ([named("four", *"abcd")], "must be at most 3 jobs, not 4"),
            ([named("three", *"abc"), named("again", *"bcd")], "may wait for 5 jobs in all; send fewer at once"),
        ):
            with pytest.raises(Refused, match=most) as refused:
                await submitted(runtime, *requests)
            assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "after")
