"""A person's decision about a job of which nobody knew whether it ran: what it changes, and what it says (B13)."""

from __future__ import annotations

import pytest
import trio
from sqlalchemy import text

from actors.jobs.records import JobStatus, QueueStatus, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.base import change, load
from actors.ledger.observe import cannot_tell
from actors.ledger.settle import settle_absent
from actors.providers.base import Idempotency
from actors.providers.scripted import Fault, FaultKind, ScriptedOptions
from actors.store import submissions

NONE = ScriptedOptions(idempotency=Idempotency.NONE)


async def uncertain(world, *, accepted=False, **fields):
    """A job whose submission was not answered, at a provider that cannot look it up."""
    world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=1, accepted=accepted))
    job = await world.submit(duration=5, **fields)
    await trio.sleep(100)
    view = await world.runtime.jobs.get(job.job_id)
    assert (view.job.uncertain_since is not None, view.submission.state) == (True, SubmissionState.UNKNOWN)
    return view


def settled(world, job_id):
    return [event.data for event in world if event.type == "job_settled" and event.job_id == job_id]


async def test_a_job_that_is_settled_as_failed_says_by_whom_and_nothing_more_is_to_be_found_out(autojump_clock, world):
    async with world.open(options=NONE) as runtime:
        job_id = (await uncertain(world)).job.job_id
        ended = await runtime.jobs.settle(job_id, "failed", by="bo")
        assert (ended.status, ended.error_message) == (JobStatus.FAILED, "settled as failed by bo")
        assert (ended.uncertain_since, ended.uncertain_reason) == (None, None)
        view = await runtime.jobs.get(job_id)
        assert (view.entry.status, view.entry.error_message) == (QueueStatus.FAILED, "settled as failed by bo")
        assert (view.submission.state, view.submission.closed_at) == (SubmissionState.CLOSED, ended.completed_at)
        (told,) = settled(await world.events(), job_id)
        assert (told["verdict"], told["by"]) == ("failed", "bo")
        await runtime.removing.remove(job_id)  # refused while its submission is not settled


async def test_a_job_that_did_not_run_is_submitted_again_under_its_key_and_spends_no_attempt(autojump_clock, world):
    async with world.open(options=NONE) as runtime:
        first = await uncertain(world, max_attempts=1)
        after = await runtime.jobs.settle(first.job.job_id, "not_run", by="bo")
        assert (after.status, after.uncertain_since) == (JobStatus.PENDING, None)
        assert (await runtime.wait(after.job_id)).status is JobStatus.COMPLETED
        view = await runtime.jobs.get(after.job_id)
        assert (view.entry.attempt, view.submission.key) == (0, first.submission.key)


async def test_a_job_that_ran_is_followed_under_the_handle_that_is_given(autojump_clock, world):
    async with world.open(options=NONE) as runtime:
        job_id = (await uncertain(world, accepted=True)).job.job_id
        with pytest.raises(Refused, match="--ran needs the handle under which the provider knows the job") as refused:
            await runtime.jobs.settle(job_id, "ran", by="bo")
        assert refused.value.kind is RefusalKind.INVALID
        assert settled(await world.events(), job_id) == []
        handle = {"run": world.remote.runs[0].run_id}
        after = await runtime.jobs.settle(job_id, "ran", handle=handle, by="bo")
        assert (after.status, after.uncertain_since) == (JobStatus.UPLOADING, None)
        view = await runtime.jobs.get(job_id)
        assert (view.submission.state, view.submission.handle) == (SubmissionState.HANDED, handle)
        assert view.submission.handed_at == world.clock.now()
        assert (await runtime.wait(job_id)).status is JobStatus.COMPLETED


async def test_a_job_that_was_seen_to_run_cannot_be_said_not_to_have_run(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(duration=5_000)
        await trio.sleep(40)
        world.remote.runs[0].forgotten = True
        await trio.sleep(600)
        with pytest.raises(Refused, match="was seen running at its provider, so it did run; settle it as --failed"):
            await runtime.jobs.settle(job.job_id, "not_run", by="bo")
        assert (await runtime.jobs.settle(job.job_id, "failed", by="bo")).status is JobStatus.FAILED


async def test_what_is_certain_is_not_settled(autojump_clock, world):
    async with world.open(options=NONE) as runtime:
        ended = await world.submit(duration=1)
        await runtime.wait(ended.job_id)
        running = await world.submit(duration=5_000)
        await trio.sleep(10)
        for job, status in ((ended, "completed"), (running, "running")):
            with pytest.raises(Refused, match=rf"is not uncertain \({status}\); there is nothing to settle"):
                await runtime.jobs.settle(job.job_id, "failed", by="bo")
        assert [event for event in await world.events() if event.type == "job_settled"] == []


async def test_a_provider_that_never_had_it_says_so_once(autojump_clock, world):
    """The second answer comes after the job has been submitted again: it changes nothing."""
    async with world.open(options=NONE) as runtime:
        view = await uncertain(world)
        key, jitter = view.submission.key, runtime.ledger.sources.jitter
        for one in (key, key, "no-such-key"):
            await runtime.ledger.write(settle_absent, one, jitter=jitter)
        assert (await runtime.wait(view.job.job_id)).status is JobStatus.COMPLETED
        requeued = [event for event in await world.events() if event.type == "job_requeued"]
        assert [event.job_id for event in requeued] == [view.job.job_id]
    assert len(world.remote.runs) == 1


@pytest.mark.parametrize(("error", "message"), [("answered 500", "answered 500"), (None, "the provider never had it")])
async def test_a_try_that_failed_by_itself_counts_and_its_reason_is_kept(autojump_clock, world, error, message):
    async with world.open(options=NONE) as runtime:
        view = await uncertain(world, max_attempts=1)
        key, jitter = view.submission.key, runtime.ledger.sources.jitter
        spent = {"spends_attempt": True, "error": error}
        await runtime.ledger.write(lambda tx: submissions.change(tx.connection, key, **spent))
        await runtime.ledger.write(settle_absent, key, jitter=jitter)
        after = await runtime.jobs.get(view.job.job_id)
        assert (after.job.status, after.job.error_message, after.entry.attempt) == (JobStatus.FAILED, message, 1)


async def test_a_provider_that_cannot_tell_makes_a_job_uncertain_once_and_not_one_that_is_settled(
    autojump_clock, world
):
    async with world.open(options=NONE) as runtime:
        view = await uncertain(world)
        key, job_id = view.submission.key, view.job.job_id
        for one in (key, "no-such-key"):
            await runtime.ledger.write(cannot_tell, one, "it keeps no records")
        assert (await runtime.jobs.get(job_id)).job.uncertain_reason == view.job.uncertain_reason
        await runtime.jobs.settle(job_id, "failed", by="bo")
        await runtime.ledger.write(cannot_tell, key, "it keeps no records")
        assert (await runtime.jobs.get(job_id)).job.uncertain_since is None
        told = [event for event in await world.events(job_id) if event.type == "job_uncertain"]
        assert [one.data["reason"] for one in told] == [view.job.uncertain_reason]


async def test_an_answer_about_a_job_whose_row_is_damaged_settles_nothing(autojump_clock, world):
    async with world.open(options=NONE) as runtime:
        view = await uncertain(world)
        await runtime.ledger.write(lambda tx: tx.connection.execute(text("UPDATE jobs SET request = '{'")))
        events = len(await world.events())
        jitter = runtime.ledger.sources.jitter
        await runtime.ledger.write(settle_absent, view.submission.key, jitter=jitter)
        await runtime.ledger.write(cannot_tell, view.submission.key, "it keeps no records")
        assert len(await world.events()) == events
        found = await runtime.ledger.read(submissions.by_key, view.submission.key)
        assert found.state is SubmissionState.UNKNOWN


async def test_a_job_that_ran_is_followed_under_its_known_handle_where_none_is_given(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(duration=5_000)
        await trio.sleep(40)
        world.remote.runs[0].forgotten = True
        await trio.sleep(600)
        before = await runtime.jobs.get(job.job_id)
        assert before.job.uncertain_since is not None
        world.remote.runs[0].forgotten = False
        after = await runtime.jobs.settle(job.job_id, "ran", by="bo")
        assert (after.status, after.uncertain_since) == (JobStatus.RUNNING, None)
        assert (await runtime.jobs.get(job.job_id)).submission.handle == before.submission.handle
        other = {"run": "another"}
        await runtime.ledger.write(lambda tx: change(tx, load(tx, job.job_id), job={"uncertain_since": tx.now}))
        await runtime.jobs.settle(job.job_id, "ran", handle=other, by="bo")
        assert (await runtime.jobs.get(job.job_id)).submission.handle == other
