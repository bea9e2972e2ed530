"""What the ledger keeps in memory: up to which event it has looked, and whether its process has just begun."""

from __future__ import annotations

import pytest
import trio
from sqlalchemy import text

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalRule, Submission, SubmissionState
from actors.jobs.refusal import Refused
from actors.jobs.scheduling import NOTHING_WAITS
from actors.ledger.ledger import Ledger
from actors.store import deaths, submissions

WAITING = Limits(total=0)


def another(runtime, **more):
    """A ledger as it is when a process begins; nobody hears of its events."""
    return Ledger(
        runtime.ledger.store, publish=lambda _event: None, limits=WAITING, approvals=ApprovalOptions(), **more
    )


def begun(job, attempt):
    """The call of an attempt has begun."""
    key = f"{job.job_id}-{attempt}"
    return lambda tx: submissions.put(
        tx.connection, [Submission(job.job_id, key, "token", SubmissionState.INTENT, tx.now)]
    )


async def test_only_the_end_of_a_process_is_a_death_and_not_that_of_its_scheduler(autojump_clock, world):
    """Whoever was making a call is gone both times: its outcome is unknown."""
    async with world.open(limits=WAITING) as runtime:
        job = await world.submit()
        ledger = another(runtime)
        for attempt, suspected in ((1, {job.job_id: 1}), (2, {job.job_id: 1})):
            await ledger.write(begun(job, attempt))
            await ledger.mark_orphans(frozenset())
            assert await ledger.read(deaths.counts) == suspected
            found = await ledger.read(submissions.by_key, f"{job.job_id}-{attempt}")
            assert (found.state, found.error) == (
                SubmissionState.UNKNOWN,
                "the process ended before the answer came",
            )
        await another(runtime).mark_orphans(frozenset())  # nothing was under way
        assert await ledger.read(deaths.counts) == suspected
        told = [event for event in await world.events(job.job_id) if event.type == "job_outcome_unknown"]
        assert [one.data["error_message"] for one in told] == ["the process ended before the answer came"] * 2
        await runtime.cancel(job.job_id)
        await another(runtime).mark_orphans(frozenset())  # nor will that job be handed over any more
        assert await ledger.read(deaths.counts) == {}


async def test_a_stop_before_the_first_look_does_not_excuse_what_killed_the_process_before(autojump_clock, world):
    async with world.open(limits=WAITING) as runtime:
        job = await world.submit()
        await runtime.ledger.write(begun(job, 1))
        await another(runtime).note_stop()  # it was stopped while it started
        next_one = another(runtime)
        await next_one.mark_orphans(frozenset())
        assert await next_one.read(deaths.counts) == {job.job_id: 1}
        await next_one.write(begun(job, 2))
        await next_one.note_stop()
        await another(runtime).mark_orphans(frozenset())
        assert await next_one.read(deaths.counts) == {job.job_id: 1}


async def test_calls_that_are_under_way_are_no_orphans(autojump_clock, world):
    async with world.open(limits=WAITING) as runtime:
        job = await world.submit()
        ledger = another(runtime)
        await ledger.write(begun(job, 1))
        await ledger.mark_orphans(frozenset({f"{job.job_id}-1"}))
        assert await ledger.read(deaths.counts) == {}
        assert (await ledger.read(submissions.by_key, f"{job.job_id}-1")).state is SubmissionState.INTENT


async def test_a_look_at_the_queue_takes_every_event_before_it_into_account(autojump_clock, world):
    async with world.open(limits=WAITING) as runtime:
        ledger = another(runtime)
        assert ledger.last_seen == 0
        for number in (1, 2):
            await world.submit()
            await ledger.claim({})
            assert ledger.last_seen == number


async def test_a_look_at_an_empty_queue_says_so_and_claims_nothing(autojump_clock, world):
    async with world.open(limits=WAITING) as runtime:
        found = await runtime.ledger.claim({})
        assert (found.decision, found.dispatches, found.look_again_at) == (NOTHING_WAITS, (), None)
        await world.submit()
        found = await runtime.ledger.claim({})
        assert (found.decision != NOTHING_WAITS, found.dispatches) == (True, ())


async def test_a_configured_rule_that_makes_no_sense_is_refused_at_the_start(autojump_clock, world):
    async with world.open(limits=WAITING) as runtime:
        with pytest.raises(ValueError, match="value"):
            another(runtime, rules=[ApprovalRule("costly", "cost_exceeds", -1.0, rule_id=1)])
        await trio.lowlevel.checkpoint()


async def test_a_call_under_way_about_a_job_whose_row_is_damaged_is_an_unknown_outcome_too(autojump_clock, world):
    """Nothing is told of it, and the others are handled."""
    async with world.open(limits=WAITING) as runtime:
        damaged, other = await world.submit(), await world.submit()
        ledger = another(runtime)
        for job in (damaged, other):
            await ledger.write(begun(job, 1))
        spoil = text("UPDATE jobs SET request = '{' WHERE job_id = :id")
        await ledger.write(lambda tx: tx.connection.execute(spoil, {"id": damaged.job_id}))
        await ledger.mark_orphans(frozenset())
        for job in (damaged, other):
            found = await ledger.read(submissions.by_key, f"{job.job_id}-1")
            assert found.state is SubmissionState.UNKNOWN
        told = [event.job_id for event in await world.events() if event.type == "job_outcome_unknown"]
        assert told == [other.job_id]


async def test_what_a_person_says_has_its_maximum_in_each_of_several_changes_too(autojump_clock, world):
    async with world.open(limits=WAITING) as runtime:
        done = []
        with pytest.raises(Refused, match="by "):
            await runtime.ledger.write_each([done.append], by="x" * 100_000)
        await runtime.ledger.write_each([done.append, done.append], by="ana")
        assert len(done) == 2
