"""A failed job that was submitted again: whoever waits for it waits for its newest retry, and nothing runs twice."""

from __future__ import annotations

import pytest

from actors.control import selections
from actors.jobs.file_rules import FileRules
from actors.jobs.refusal import Refused
from actors.jobs.selections import Action, Selection
from tests.ledger.dependencies import FREE, named, statuses, submitted

FAILED, ALL = FileRules("d" * 64, "failed"), FileRules("d" * 64, "all")


@pytest.fixture
async def runtime(world):
    async with world.open(limits=FREE) as runtime:
        yield runtime


async def ended(runtime, *jobs):
    for job in jobs:
        await runtime.wait(job.job_id)
    return await statuses(runtime, *jobs)


async def parents_of(runtime, job):
    return [one.job_id for one in (await runtime.jobs.get(job.job_id)).waits_for.jobs]


def lines(result="failed"):
    """A sweep in a group, and an evaluation of the group."""
    return [
        named("t-1", group="g", duration=5, idempotency_key="1"),
        named("t-2", group="g", duration=5, result=result, idempotency_key="2"),
        named("eval", {"group": "g"}, duration=5, idempotency_key="3"),
    ]


async def test_a_retry_of_a_job_waits_for_the_retries_of_its_parents(autojump_clock, runtime):
    a, b = await submitted(runtime, named("a", duration=5, result="failed"), named("b", "a"))
    await ended(runtime, b)
    with pytest.raises(Refused, match=r"retry or remove that one first, or say after_mode ended"):
        await runtime.jobs.retry(b.job_id)
    await runtime.jobs.retry(a.job_id)
    newest = await runtime.jobs.retry(a.job_id)
    assert await parents_of(runtime, await runtime.jobs.retry(b.job_id)) == [newest.job_id]


async def test_a_retry_of_a_retry_is_the_newest_one(autojump_clock, runtime):
    a, b = await submitted(runtime, named("a", duration=5, result="failed"), named("b", "a"))
    await ended(runtime, b)
    second = await runtime.jobs.retry(a.job_id)
    await ended(runtime, second)
    third = await runtime.jobs.retry(second.job_id)
    assert await parents_of(runtime, await runtime.jobs.retry(b.job_id)) == [third.job_id]


async def test_a_failed_job_of_a_group_counts_as_its_retry(autojump_clock, runtime):
    one, two, _ = await submitted(runtime, *lines())
    await ended(runtime, one, two)
    with pytest.raises(Refused, match=r"t-2 \(.*\) failed"):
        await submitted(runtime, named("later", {"group": "g"}))
    again = await runtime.jobs.retry(two.job_id)
    (later,) = await submitted(runtime, named("later", {"group": "g"}))
    assert set(await parents_of(runtime, later)) == {one.job_id, again.job_id}


@pytest.mark.parametrize("rules", [FAILED, ALL], ids=["failed", "all"])
async def test_a_file_with_a_failed_job_in_its_group_can_be_submitted_again(autojump_clock, runtime, rules):
    first = await submitted(runtime, *lines(), file=FileRules("d" * 64))
    assert await ended(runtime, *first) == ["completed", "failed", "cancelled"]
    second = await submitted(runtime, *lines("completed"), file=rules)
    assert await ended(runtime, *second) == ["completed"] * 3
    assert [job.retry_of for job in second[1:]] == [first[1].job_id, first[2].job_id]
    assert [job.correlation_id for job in second[1:]] == [first[1].correlation_id, first[2].correlation_id]
    with pytest.raises(Refused, match="1 left out: submitted again before"):
        await runtime.selections.retry(Selection(group="g", name="*"))


async def test_what_was_retried_by_hand_is_not_submitted_once_more_with_its_file(autojump_clock, runtime):
    a, b = named("a", duration=5, result="failed", idempotency_key="a"), named("b", "a", idempotency_key="b")
    first = await submitted(runtime, a, b, file=FileRules("d" * 64))
    await ended(runtime, *first)
    again = [one.job for one in await runtime.jobs.submit_again(first[0].job_id, with_dependants=True)]
    found = await runtime.jobs.submit_many([a, b], FAILED)
    assert [(one.created, one.job.job_id) for one in found] == [(False, job.job_id) for job in again]


async def test_a_job_that_was_cancelled_because_of_another_runs_when_only_that_was_retried_by_hand(
    autojump_clock, runtime
):
    a, b = named("a", duration=5, result="failed", idempotency_key="a"), named("b", "a", idempotency_key="b")
    first = await submitted(runtime, a, b, file=FileRules("d" * 64))
    await ended(runtime, *first)
    again = await runtime.jobs.retry(first[0].job_id)
    found = await runtime.jobs.submit_many([a, named("b", again.job_id, idempotency_key="b")], FAILED)
    assert [one.created for one in found] == [False, True]
    assert await parents_of(runtime, found[1].job) == [again.job_id]


async def test_a_selection_is_retried_in_batches_as_in_one(autojump_clock, runtime, monkeypatch):
    monkeypatch.setitem(selections._SIZES, Action.RETRY, 1)
    jobs = await submitted(runtime, *lines(), named("last", "eval", group="g"))
    await ended(runtime, *jobs)
    outcome = await runtime.selections.retry(Selection(name="*"))
    assert [one.done for one in outcome.results] == [True] * 3


async def test_one_refused_job_of_a_selection_cuts_no_chain_of_the_others(autojump_clock, runtime):
    jobs = await submitted(
        runtime,
        named("outside", result="failed", duration=5),
        *lines(),
        named("refused", "outside", group="g"),
    )
    await ended(runtime, *jobs)
    outcome = await runtime.selections.retry(Selection(jobs=tuple(job.job_id for job in jobs[2:])))
    assert [(one.name, one.done) for one in outcome.results] == [("t-2", True), ("eval", True), ("refused", False)]
