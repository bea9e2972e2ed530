"""The one table: what can happen, and above all what cannot."""

from __future__ import annotations

import itertools

import pytest

from actors.jobs.lifecycle import PHASE_TRIGGERS, TRANSITIONS, Trigger, step
from actors.jobs.records import TERMINAL_JOBS, JobStatus, Phase, QueueStatus

STORED = [status for status in QueueStatus if status is not QueueStatus.READY]
RANK = [JobStatus.PENDING, JobStatus.UPLOADING, JobStatus.QUEUED, JobStatus.RUNNING]


@pytest.mark.parametrize(("job", "entry"), list(itertools.product(sorted(TERMINAL_JOBS), STORED)))
def test_nothing_leaves_a_terminal_state(job, entry):
    assert [trigger for trigger in Trigger if step(job, entry, trigger)] == []


def test_an_observation_never_steps_back():
    for trigger in set(PHASE_TRIGGERS.values()):
        for job in RANK:
            following = step(job, QueueStatus.RUNNING, trigger)
            if following is not None and following.job in RANK:
                assert RANK.index(following.job) > RANK.index(job)


def test_only_what_was_never_seen_at_a_provider_goes_back_to_the_queue():
    back = [job for job in JobStatus if step(job, QueueStatus.RUNNING, Trigger.REQUEUE)]
    assert back == [JobStatus.UPLOADING]


def test_every_state_can_be_reached_and_every_active_one_left():
    reached = {(following.job, following.entry) for _, following in TRANSITIONS.values()}
    left = {pair for pairs, _ in TRANSITIONS.values() for pair in pairs}
    assert {job for job, _ in reached} == set(JobStatus)
    assert {pair for pair in reached if pair[0] not in TERMINAL_JOBS} <= left


def test_every_phase_but_the_doubtful_ones_has_a_row():
    assert set(Phase) - set(PHASE_TRIGGERS) == {Phase.UNKNOWN, Phase.LOST}


def test_an_expired_approval_leaves_a_failed_entry_and_a_cancelled_job():
    following = step(JobStatus.PENDING, QueueStatus.BLOCKED, Trigger.EXPIRE)
    assert (following.job, following.entry) == (JobStatus.CANCELLED, QueueStatus.FAILED)
