"""A delivery about no known job lets those be asked about that it may be about, and not more of them at once."""

from __future__ import annotations

import pytest

from actors.jobs.deliveries import DeliveryOutcome
from actors.jobs.options import Limits
from actors.jobs.records import Submission, SubmissionState
from actors.ledger.deliveries import deliver, take_hint
from actors.providers.deliveries import DeliveryEvent, DeliveryHint
from actors.store import submissions
from actors.testing import request


@pytest.fixture
async def submitted(autojump_clock, world):
    """A runtime that starts nothing, and a function that writes submissions of a state, each of a job of its own."""
    async with world.open(limits=Limits(total=0)) as runtime:

        async def write(state, number=1, handle=None):
            jobs = [one.job for one in await runtime.jobs.submit_many([request() for _ in range(number)])]
            made = [
                lambda tx, one=job: Submission(one.job_id, f"{one.job_id}-1", f"of {one.job_id}", state, tx.now, handle)
                for job in jobs
            ]
            await runtime.ledger.write(lambda tx: submissions.put(tx.connection, [one(tx) for one in made]))
            return [f"{job.job_id}-1" for job in jobs]

        yield runtime, write


async def delivered(runtime, verb, report, token=None):
    found = await runtime.ledger.write(verb, "scripted", report, token)
    return found.outcome, list(found.look_at)


async def test_what_is_about_no_known_job_lets_sixteen_of_unknown_outcome_be_asked_about(submitted):
    """The oldest ones, whether or not it could be read."""
    runtime, write = submitted
    await write(SubmissionState.HANDED, handle={"id": "known"})
    keys = await write(SubmissionState.UNKNOWN, 17)
    for verb, report, outcome in (
        (deliver, DeliveryEvent("1", "elsewhere"), DeliveryOutcome.UNMATCHED),
        (take_hint, DeliveryHint("2", "no status", "elsewhere"), DeliveryOutcome.UNREADABLE),
    ):
        found, asked = await delivered(runtime, verb, report)
        assert (found, len(asked), set(asked) <= set(keys)) == (outcome, 16, True)


async def test_what_may_be_about_any_job_lets_a_thousand_be_asked_about(submitted):
    runtime, write = submitted
    await write(SubmissionState.HANDED, 1_001, handle={"id": "known"})
    outcome, asked = await delivered(runtime, take_hint, DeliveryHint("1", "no JSON"))
    assert (outcome, len(asked)) == (DeliveryOutcome.UNREADABLE, 1_000)


async def test_what_could_not_be_read_lets_the_job_be_asked_about_that_it_names_or_that_has_its_token(submitted):
    runtime, write = submitted
    await write(SubmissionState.UNKNOWN)
    (named,) = await write(SubmissionState.HANDED, handle={"id": "known"})
    (other,) = await write(SubmissionState.HANDED, handle={"id": "other"})
    token = f"of {other.removesuffix('-1')}"
    for number, (remote_id, given, key) in enumerate(
        [("known", None, named), ("known", token, named), (None, token, other), ("new", token, other)]
    ):
        hint = DeliveryHint(f"hint {number}", "no status", remote_id)
        assert await delivered(runtime, take_hint, hint, given) == (DeliveryOutcome.UNREADABLE, [key])
        assert await delivered(runtime, take_hint, hint, given) == (DeliveryOutcome.REPEATED, [])
