"""Accepting jobs: all or none, once per key, refused with the field and the fix (B20, B21)."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs.options import ApprovalOptions, Limits, QueueOptions
from actors.jobs.records import ApprovalRule, JobStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retention import Hold
from actors.store import holds
from actors.testing import request


async def test_the_same_key_returns_the_same_job_and_says_so(autojump_clock, world):
    async with world.open() as runtime:
        wanted = request(duration=1, idempotency_key="k")
        (first,) = await runtime.jobs.submit_many([wanted])
        (again,) = await runtime.jobs.submit_many([wanted])
        assert (first.created, again.created) == (True, False)
        assert again.job.job_id == first.job.job_id
        await runtime.wait(first.job.job_id)
    assert len(world.remote.runs) == 1


async def test_a_key_belongs_to_its_user_and_lives_for_a_day(autojump_clock, world):
    async with world.open() as runtime:
        (mine,) = await runtime.jobs.submit_many([request(idempotency_key="k")])
        (theirs,) = await runtime.jobs.submit_many([request(user_id="bo", idempotency_key="k")])
        world.clock.suspend(timedelta(hours=24) - timedelta(seconds=1))
        (again,) = await runtime.jobs.submit_many([request(idempotency_key="k")])
        assert (again.job.job_id, again.created) == (mine.job.job_id, False)
        world.clock.suspend(timedelta(seconds=1))
        (later,) = await runtime.jobs.submit_many([request(idempotency_key="k")])
        assert len({mine.job.job_id, theirs.job.job_id, later.job.job_id}) == 3
        assert later.created


async def test_a_key_with_another_content_is_refused_and_nothing_is_stored(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        await runtime.jobs.submit_many([request(duration=1, idempotency_key="k")])
        with pytest.raises(Refused, match=r"used for job .* with another content") as refused:
            await runtime.jobs.submit_many([request(duration=9), request(duration=2, idempotency_key="k")])
        assert refused.value.kind is RefusalKind.CONFLICT
        assert len(await runtime.jobs.page()) == 1


async def test_one_key_twice_in_a_batch_and_in_two_at_once_makes_one_job(autojump_clock, world):
    async with world.open() as runtime:
        wanted = request(duration=1, idempotency_key="k")
        batch = await runtime.jobs.submit_many([wanted, wanted])
        found = {one.job.job_id for one in batch}
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(runtime.submit, wanted)
        assert found == {view.job.job_id for view in await runtime.jobs.page()}
        assert len(found) == 1


async def test_another_environment_of_the_submitter_is_no_other_content(autojump_clock, world):
    async with world.open() as runtime:
        wanted = request(duration=1, idempotency_key="k")
        (first,) = await runtime.jobs.submit_many([wanted])
        (again,) = await runtime.jobs.submit_many([attrs.evolve(wanted, inherited_env={"PATH": "/elsewhere"})])
        assert not again.created
        assert first.job.job_id == again.job.job_id


@pytest.mark.parametrize(
    ("fields", "message", "field"),
    [
        ({"provider": "script"}, "there is no provider 'script'; did you mean scripted?", "provider"),
        ({"provider": "slurm"}, "known are scripted; others are added in section providers of the", "provider"),
        ({"user_id": ""}, "user_id: say for whom the job is", "user_id"),
        ({"priority_override": 51}, "priority_override must be from 0 to 50, not 51", "priority_override"),
        ({"max_attempts": 0}, "max_attempts must be 1 or more", "max_attempts"),
        ({"durration": 5}, "did you mean duration", None),
    ],
)
async def test_bad_input_is_refused_with_the_field_and_the_fix(autojump_clock, world, fields, message, field):
    async with world.open() as runtime:
        with pytest.raises(Refused, match=message.replace("?", r"\?")) as refused:
            await runtime.submit(request(**fields))
        assert refused.value.kind is RefusalKind.INVALID
        assert field is None or refused.value.field == field
        with pytest.raises(Refused, match="job 2: "):
            await runtime.jobs.submit_many([request(), request(**fields)])
        assert await runtime.jobs.page() == []
        assert await world.events() == []


async def test_a_thousand_in_one_batch_are_a_thousand_events_in_order(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        accepted = await runtime.jobs.submit_many([request(user_id=f"u{n % 7}") for n in range(1000)])
        events = await runtime.event_reader.past_events(limit=2000)
        assert [event.job_id for event in events] == [one.job.job_id for one in accepted]
        assert [event.seq for event in events] == list(range(1, 1001))
        assert len({one.job.correlation_id for one in accepted}) == 1000


async def test_the_daily_rule_counts_the_batch_it_is_in(autojump_clock, world):
    rule = ApprovalRule("Many", "daily_jobs_exceed", 2.0, rule_id=1)
    async with world.open(limits=Limits(total=0), approvals=ApprovalOptions(rules=(rule,))) as runtime:
        accepted = await runtime.jobs.submit_many([request() for _ in range(4)])
        assert [one.approval is not None for one in accepted] == [False, False, True, True]


async def test_retry_is_a_new_job_of_the_same_content_and_trail(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(duration=3, org_id="lab", priority_override=7, result="failed", error="no luck")
        assert (await runtime.wait(job.job_id)).status is JobStatus.FAILED
        again = await runtime.jobs.retry(job.job_id)
        assert again.retry_of == job.job_id
        assert again.request == job.request
        assert again.correlation_id == job.correlation_id
        first, second = [(await world.events(one.job_id))[0] for one in (job, again)]
        assert (first.data.get("retry_of"), second.data["retry_of"]) == (None, job.job_id)
        with pytest.raises(Refused, match="has not ended"):
            await runtime.jobs.retry(again.job_id)


async def test_a_job_is_found_by_an_unambiguous_part_of_its_id(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        jobs = [await world.submit() for _ in range(3)]
        assert (await runtime.jobs.get(jobs[1].job_id[-6:])).job.job_id == jobs[1].job_id
        with pytest.raises(Refused, match="fits more than one job"):
            await runtime.jobs.get(jobs[0].job_id[:6])
        with pytest.raises(Refused, match="the beginning of an id must have 6 characters or more"):
            await runtime.jobs.get(jobs[0].job_id[:5])
        with pytest.raises(Refused, match="there is no job 'zzz'"):
            await runtime.jobs.get("zzz")


async def test_a_job_without_an_approval_request_is_not_said_to_be_missing(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        job = await world.submit(config_name="tiny")
        for asked in ("tiny", job.job_id, job.job_id[-6:]):
            with pytest.raises(Refused, match=f"job '{asked}' has no approval request"):
                await runtime.approve(asked, by="bo")


@pytest.mark.parametrize("length", [1, 2, 5])
async def test_a_few_characters_are_no_end_of_an_id(autojump_clock, world, length):
    """One letter is the end of some id by chance: nothing is changed by it."""
    rule = ApprovalRule("Dear", "config_pattern", "dear*", rule_id=1)
    async with world.open(approvals=ApprovalOptions(rules=(rule,))) as runtime:
        job = await world.submit(config_name="dear")
        approval = (await runtime.jobs.get(job.job_id)).approval
        part = job.job_id[-length:]
        too_short = "the end of an id must have 6 characters or more"
        for asked in (
            runtime.cancel(part),
            runtime.jobs.retry(part),
            runtime.removing.remove(part),
            runtime.jobs.prioritise(part, 3),
            runtime.submit(request(after=(part,))),
            runtime.approve(approval.approval_id[-length:], by="bo"),
            runtime.reject(part, by="bo"),
        ):
            with pytest.raises(Refused, match=too_short):
                await asked
        assert (await runtime.jobs.get(job.job_id[-6:])).job == job


async def test_a_user_has_so_many_jobs_waiting_and_not_one_more(autojump_clock, world):
    async with world.open(limits=Limits(total=0), queue=QueueOptions(max_waiting_per_user=2)) as runtime:
        await runtime.jobs.submit_many([request(), request()])
        with pytest.raises(Refused, match=r"user ana would have 3 waiting jobs, and at most 2 may wait"):
            await world.submit()
        await world.submit(user_id="bo")
        with pytest.raises(Refused, match=r"user bo would have 3 waiting jobs"):
            await runtime.jobs.submit_many([request(user_id="bo"), request(user_id="bo")])
        assert sorted(view.job.request.user_id for view in await runtime.jobs.page()) == ["ana", "ana", "bo"]


async def test_no_key_is_forgotten_while_the_clock_may_be_wrong(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        (first,) = await runtime.jobs.submit_many([request(idempotency_key="k")])
        hold = Hold("the wall clock went forward", world.clock.now())
        await runtime.ledger.write(lambda tx: holds.write(tx.connection, hold, tx.now))
        world.clock.suspend(timedelta(days=3))
        (again,) = await runtime.jobs.submit_many([request(idempotency_key="k")])
        assert (again.job.job_id, again.created) == (first.job.job_id, False)


@pytest.mark.parametrize(
    ("wish", "cost", "reason", "level"),
    [
        (None, 1.0, None, None),
        (None, 6.0, "rule", "lead"),
        (None, 60.0, "rule", "admin"),
        ("please", 1.0, "wish", "lead"),
        ("please", 6.0, "wish", "lead"),
        ("please", 60.0, "rule", "admin"),
    ],
)
async def test_a_wish_to_be_approved_never_replaces_a_rule_that_needs_a_higher_level(
    autojump_clock, world, wish, cost, reason, level
):
    rules = (
        ApprovalRule("dear", "cost_exceeds", 50.0, priority=20, required_approver_level="admin", rule_id=1),
        ApprovalRule("costly", "cost_exceeds", 5.0, priority=10, required_approver_level="lead", rule_id=2),
    )
    async with world.open(limits=Limits(total=0), approvals=ApprovalOptions(rules=rules)) as runtime:
        job = await world.submit(estimated_cost=cost, requires_approval=wish)
        approval = (await runtime.jobs.get(job.job_id)).approval
        found = None if approval is None else "rule" if approval.rule_id is not None else "wish"
        assert (found, None if approval is None else approval.required_level) == (reason, level)
