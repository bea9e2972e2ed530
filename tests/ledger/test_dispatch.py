"""What the answer of a provider to a submission changes: the job, its provider's gate, and what is logged (B12)."""

from __future__ import annotations

import logging

import trio
from sqlalchemy import text

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus, Submission, SubmissionState
from actors.ledger.dispatch import fail_dispatch, hand_over
from actors.providers.base import Push
from actors.providers.classify import Failure, FailureKind
from actors.providers.scripted import Fault, FaultKind, Refusal, ScriptedOptions
from actors.store import gates, submissions

SILENT = ScriptedOptions(push=Push.NONE)


async def gate(runtime):
    return (await runtime.ledger.read(gates.read)).get("scripted")


async def test_a_submission_that_is_accepted_opens_its_provider_and_forgets_the_failures_before(autojump_clock, world):
    """So the next outage begins with a short wait again."""
    world.remote.inject(Fault(FaultKind.DOWN, ("submit",), times=2))
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=1_000)
        await trio.sleep(1)
        closed = await gate(runtime)
        assert (closed.failures, closed.closed_until > world.clock.now()) == (2, True)
        await trio.sleep(600)
        assert (await runtime.jobs.get(job.job_id)).submission.state is SubmissionState.HANDED
        after = await gate(runtime)
        assert (after.failures, after.closed_until, after.closed_reason, after.closed_seconds) == (0, None, None, None)


async def test_a_refusal_is_logged_with_its_job_and_an_acceptance_is_not(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO, "actors.scheduler")
    world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=1, refusal=Refusal.OTHER))
    async with world.open() as runtime:
        job = await world.submit(duration=1, max_attempts=2)
        with trio.fail_after(600):
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    (line,) = [record for record in caplog.records if record.message.startswith("Job was not accepted")]
    assert (line.job_id, line.provider, line.failure) == (job.job_id, "scripted", "other")


async def test_of_two_answers_about_one_submission_the_second_changes_nothing(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=1_000)
        await trio.sleep(1)
        before = await runtime.jobs.get(job.job_id)
        events = len(await world.events())
        key, other = before.submission.key, {"run": "another"}
        for one in (key, "no-such-key"):
            await runtime.ledger.write(hand_over, one, other, None)
        assert (await runtime.jobs.get(job.job_id)).submission == before.submission
        assert len(await world.events()) == events


async def test_the_answer_about_a_job_whose_row_was_damaged_meanwhile_changes_its_submission_alone(
    autojump_clock, world
):
    """An acceptance is kept, so that nothing is submitted twice; a failure waits for the row to be mended."""

    def spoil(tx):
        submissions.put(tx.connection, [Submission(job.job_id, "key", "token", SubmissionState.INTENT, tx.now)])
        tx.connection.execute(text("UPDATE jobs SET request = '{'"))

    async with world.open(limits=Limits(total=0)) as runtime:
        job = await world.submit()
        await runtime.ledger.write(spoil)
        failure = Failure(FailureKind.OTHER, "no luck")
        assert await runtime.ledger.write(fail_dispatch, "key", failure, jitter=lambda: 0.5) is None
        assert (await runtime.ledger.read(submissions.by_key, "key")).state is SubmissionState.INTENT
        await runtime.ledger.write(hand_over, "key", {"run": "one"}, None)
        found = await runtime.ledger.read(submissions.by_key, "key")
        assert (found.state, found.handle) == (SubmissionState.HANDED, {"run": "one"})
        assert [event.type for event in await world.events()] == ["job_queued"]
