"""By which keys a restored job is looked up, and what the answers mean (F3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from actors.jobs.look_ups import (
    MOST_KEYS,
    Adopt,
    AsItWas,
    Seen,
    ToLookUp,
    Uncertain,
    conclude,
    why_records_are_incomplete,
)
from actors.jobs.records import (
    Job,
    JobRequest,
    JobStatus,
    Observation,
    Phase,
    QueueEntry,
    QueueStatus,
    Rerun,
    Submission,
    SubmissionState,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
WHY = "no records"


def restored(*, handed=False, times=0, **entry):
    request = JobRequest(rerun=Rerun(times=times, delay=0.0))
    job = Job("j", JobStatus.PENDING, "slurm", "c", request, NOW, NOW)
    waiting = QueueEntry("j", QueueStatus.PENDING, 10, None, NOW, 1)
    submission = Submission("j", "j-1", "t", SubmissionState.HANDED, NOW, handle={}) if handed else None
    return ToLookUp(job, attrs.evolve(waiting, **entry), submission)


def seen(number, phase=Phase.RUNNING, **more):
    return Seen(f"j-{number}", {}, Observation(phase, **more))


@pytest.mark.parametrize(
    ("one", "numbers"),
    [
        (restored(), [1, 2, 3]),  # each attempt may have failed to be handed over
        (restored(attempt=2), [3]),
        (restored(attempt=5, run_first_attempt=4), [6, 7]),
        (restored(times=2, reruns=1, attempt=1, run_first_attempt=1), [2, 3, 4, 5, 6, 7]),
        (restored(handed=True), [1]),
        (restored(handed=True, times=1), [1, 2, 3, 4]),
        (restored(handed=True, times=1, reruns=1), [1]),
        (restored(attempt=3), [4]),  # out of order, and never none
    ],
)
def test_the_keys_are_all_that_the_job_may_have_had(one, numbers):
    assert one.keys() == [f"j-{number}" for number in numbers]


def test_of_too_many_keys_one_more_than_are_asked_about_says_so():
    assert len(restored(times=100, max_attempts=1000).keys()) == MOST_KEYS + 1 == 201


def test_what_is_found_is_adopted_whatever_is_in_doubt():
    assert conclude(restored(), [seen(2)], WHY, NOW) == Adopt((seen(2),))


def test_what_is_surely_not_there_is_as_it_was():
    assert conclude(restored(), [], None, NOW) == AsItWas()


def test_what_may_have_been_there_is_in_doubt():
    assert conclude(restored(), [], WHY, NOW) == Uncertain(WHY)


def test_what_was_in_doubt_before_the_backup_stays_so_for_its_reason_unless_it_is_found():
    """Its provider could not tell then: that it denies the job now proves nothing more."""
    before = restored()
    job = attrs.evolve(before.job, uncertain_since=NOW, uncertain_reason="the head was restarted")
    one = attrs.evolve(before, job=job, submission=Submission("j", "j-1", "t", SubmissionState.UNKNOWN, NOW))
    assert conclude(one, [], None, NOW) == Uncertain("the head was restarted")
    assert conclude(one, [seen(1)], None, NOW) == Adopt((seen(1),))


def test_what_was_there_and_is_not_any_more_is_in_doubt_even_if_nothing_else_is():
    assert conclude(restored(handed=True), [], None, NOW, "gone") == Uncertain("gone")


def test_an_attempt_that_ended_and_may_have_been_run_again_is_in_doubt():
    ended = seen(1, Phase.FAILED, interrupted="node lost")
    found = conclude(restored(handed=True, times=1), [ended], WHY, NOW)
    assert found == Uncertain(f"its attempt ended, and whether it ran again is not known: {WHY}")
    assert conclude(restored(handed=True, times=1), [ended], None, NOW) == Adopt((ended,))
    assert conclude(restored(handed=True, times=1), [seen(1, Phase.SUCCEEDED)], WHY, NOW) == Adopt(
        (seen(1, Phase.SUCCEEDED),)
    )


def test_after_its_last_run_nothing_is_in_doubt():
    ended = [seen(number, Phase.FAILED, interrupted="node lost") for number in (1, 2)]
    assert conclude(restored(handed=True, times=1), ended, WHY, NOW) == Adopt(tuple(ended))


@pytest.mark.parametrize(
    ("since", "age", "kept_days", "sure"),
    [
        (timedelta(days=2), timedelta(days=1), 0, True),
        (timedelta(days=1), timedelta(days=1), 0, True),
        (timedelta(hours=23), timedelta(days=1), 0, False),
        (None, timedelta(days=1), 0, False),
        (timedelta(days=900), timedelta(days=90), 90, False),
        (timedelta(days=900), timedelta(days=89), 90, True),
    ],
)
def test_records_prove_an_absence_only_if_they_are_older_than_the_backup_and_were_not_pruned(
    since, age, kept_days, sure
):
    moment = None if since is None else NOW - since
    assert (why_records_are_incomplete("slurm", moment, NOW - age, NOW, kept_days) is None) == sure
