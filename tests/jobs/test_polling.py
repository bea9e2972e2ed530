"""What follows from an observation: the step, the values, the doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.lifecycle import Trigger, step
from actors.jobs.polling import DEBUG, WARNING, ObservationVerdict, interpret, phase_of
from actors.jobs.records import TERMINAL_JOBS, Job, JobRequest, JobStatus, Observation, Phase, QueueStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)

ENTRY_OF = {
    JobStatus.PENDING: QueueStatus.PENDING,
    JobStatus.UPLOADING: QueueStatus.RUNNING,
    JobStatus.QUEUED: QueueStatus.RUNNING,
    JobStatus.RUNNING: QueueStatus.RUNNING,
    JobStatus.COMPLETED: QueueStatus.COMPLETED,
    JobStatus.FAILED: QueueStatus.FAILED,
    JobStatus.CANCELLED: QueueStatus.CANCELLED,
}
FULL = {
    "started_at": EARLIER, "cost_usd": 1.5, "output_url": "file:///out", "exit_code": 3, "progress": {"step": 5},
    "result": {"loss": 0.1}, "error_message": "earlier words",
}  # fmt: skip


def job(status: JobStatus = JobStatus.RUNNING, **columns: Any) -> Job:
    return Job("job", status, "local", "c" * 32, JobRequest(), EARLIER, EARLIER, **columns)


def judged(one: Job, phase: Phase, **seen: Any) -> ObservationVerdict:
    return interpret(one, ENTRY_OF[one.status], Observation(phase, **seen), NOW)


@pytest.mark.parametrize(
    ("spelling", "phase"),
    [
        ("canceled", Phase.CANCELED),
        ("cancelled", Phase.CANCELED),
        ("aborted", Phase.CANCELED),
        ("STOPPED", Phase.CANCELED),
        ("succeeded", Phase.SUCCEEDED),
        (" Completed\n", Phase.SUCCEEDED),
        ("starting", Phase.STARTING),
        ("IN_QUEUE", Phase.QUEUED),
        ("PENDING", Phase.QUEUED),
        ("processing", Phase.RUNNING),
        ("Running", Phase.RUNNING),
        ("in-progress", Phase.RUNNING),
        ("cancelling", Phase.STOPPING),
        ("error", Phase.FAILED),
        ("FAILED", Phase.FAILED),
        ("TIMED_OUT", Phase.TIMED_OUT),
        ("", Phase.UNKNOWN),
        ("run ning", Phase.UNKNOWN),
        ("test_batch", Phase.UNKNOWN),
    ],
)
def test_a_providers_spelling_is_read_whatever_its_case_and_space(spelling: str, phase: Phase) -> None:
    """An unknown word is never guessed at (B5)."""
    assert phase_of(spelling) is phase


ACTIVE = (JobStatus.UPLOADING, JobStatus.QUEUED, JobStatus.RUNNING)
ENDS = {
    Phase.SUCCEEDED: Trigger.OBSERVE_COMPLETED,
    Phase.FAILED: Trigger.OBSERVE_FAILED,
    Phase.TIMED_OUT: Trigger.OBSERVE_FAILED,
    Phase.CANCELED: Trigger.OBSERVE_CANCELLED,
}


@pytest.mark.parametrize("status", ACTIVE)
@pytest.mark.parametrize("phase", ENDS)
def test_whatever_is_handed_over_may_end_from_any_active_state(status: JobStatus, phase: Phase) -> None:
    """Active to terminal, states in between may go unseen (B5)."""
    verdict = judged(job(status), phase)
    assert verdict.trigger is ENDS[phase]
    assert verdict.changes["completed_at"] == NOW


@pytest.mark.parametrize(
    ("status", "phase", "trigger"),
    [
        (JobStatus.UPLOADING, Phase.QUEUED, Trigger.OBSERVE_QUEUED),
        (JobStatus.UPLOADING, Phase.STARTING, Trigger.OBSERVE_QUEUED),
        (JobStatus.UPLOADING, Phase.RUNNING, Trigger.OBSERVE_RUNNING),
        (JobStatus.QUEUED, Phase.RUNNING, Trigger.OBSERVE_RUNNING),
        (JobStatus.QUEUED, Phase.STOPPING, Trigger.OBSERVE_RUNNING),
        (JobStatus.QUEUED, Phase.STARTING, None),
        (JobStatus.RUNNING, Phase.RUNNING, None),
        (JobStatus.RUNNING, Phase.STOPPING, None),
    ],
)
def test_a_step_forward_is_taken_and_a_repeated_word_is_none(
    status: JobStatus, phase: Phase, trigger: Trigger | None
) -> None:
    verdict = judged(job(status), phase)
    assert verdict.trigger is trigger
    assert verdict.note is None


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.STARTING])
def test_a_step_back_is_ignored_at_debug_with_all_its_values(phase: Phase) -> None:
    """Running to queued: the whole word is old, so its cost is too."""
    verdict = judged(job(cost_usd=2.0), phase, raw_status="starting", cost_usd=1.0, progress={"step": 1})
    assert (verdict.trigger, dict(verdict.changes), verdict.uncertain) == (None, {}, None)
    assert verdict.note == (DEBUG, "late or backward status 'starting' ignored, the job is running")


@pytest.mark.parametrize("status", sorted(TERMINAL_JOBS))
@pytest.mark.parametrize("phase", Phase)
def test_nothing_leaves_a_terminal_state_and_no_value_changes_there(status: JobStatus, phase: Phase) -> None:
    """A late answer revives no cancelled job and overwrites nothing of it."""
    verdict = judged(job(status), phase, cost_usd=9.0, error="late", completed_at=NOW)
    assert (verdict.trigger, dict(verdict.changes), verdict.uncertain) == (None, {}, None)
    same = {Phase.SUCCEEDED: "completed", Phase.CANCELED: "cancelled"}.get(phase, "failed") == status.value
    repeats = same and phase in (*ENDS, Phase.LOST)
    assert (verdict.note is None) is repeats  # one that only says once more how it ended is not logged
    assert verdict.note is None or verdict.note[0] == DEBUG


@pytest.mark.parametrize("phase", Phase)
def test_a_word_about_a_job_that_is_back_in_the_queue_changes_nothing(phase: Phase) -> None:
    verdict = judged(job(JobStatus.PENDING), phase, cost_usd=9.0)
    assert (verdict.trigger, dict(verdict.changes), verdict.uncertain) == (None, {}, None)


def test_an_unknown_word_keeps_the_status_and_warns_with_the_word_as_sent() -> None:
    verdict = judged(job(), Phase.UNKNOWN, raw_status="Hibernating", cost_usd=2.0)
    assert verdict == ObservationVerdict(
        changes={"cost_usd": 2.0}, note=(WARNING, "unknown status 'Hibernating', kept as running")
    )


def test_a_lost_job_that_is_not_proven_dead_is_uncertain_and_nothing_else() -> None:
    verdict = judged(job(), Phase.LOST, error="its process may be left", cost_usd=3.0)
    assert verdict == ObservationVerdict(uncertain="lost: its process may be left")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("the machine was restarted", "lost: the machine was restarted"),
        ("lost: said already", "lost: said already"),
        (None, "lost: the provider no longer knows it"),
    ],
)
def test_a_lost_job_that_is_proven_dead_has_failed(error: str | None, message: str) -> None:
    verdict = judged(job(), Phase.LOST, error=error, proven_dead=True)
    assert verdict.trigger is Trigger.OBSERVE_FAILED
    assert verdict.changes["error_message"] == message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("deadline exceeded: it ran longer than 5 s", "deadline exceeded: it ran longer than 5 s"),
        ("killed: deadline exceeded", "deadline exceeded"),
        (None, "deadline exceeded"),
    ],
)
def test_a_job_past_its_deadline_failed_by_that_and_tells_a_limit_that_is_known(
    error: str | None, message: str
) -> None:
    verdict = judged(job(), Phase.TIMED_OUT, error=error)
    assert verdict.changes["error_message"] == message


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ({"error": "out of memory", "exit_code": 1}, "out of memory"),
        ({"exit_code": 3}, "exit status 3"),
        ({"signal": 9, "exit_code": -9}, "ended by signal 9"),
        ({}, None),
    ],
)
def test_a_failed_job_says_how_as_well_as_its_provider_knows(seen: dict[str, Any], message: str | None) -> None:
    assert judged(job(), Phase.FAILED, **seen).changes.get("error_message") == message


def test_a_cancelled_job_names_who_asked_for_it_unless_the_provider_says_more() -> None:
    asked = job(cancel_requested_at=EARLIER, cancel_requested_by="bo")
    assert judged(asked, Phase.CANCELED).changes["error_message"] == "Cancelled by bo"
    assert judged(asked, Phase.CANCELED, error="killed").changes["error_message"] == "killed"


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.SUCCEEDED])
def test_an_end_that_came_before_the_cancel_stays_what_the_provider_says(phase: Phase) -> None:
    asked = job(cancel_requested_at=EARLIER, cancel_requested_by="bo")
    assert judged(asked, phase).trigger is ENDS[phase]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"started_at": EARLIER, "seen_at": NOW - timedelta(minutes=1)}, EARLIER),
        ({"seen_at": NOW - timedelta(minutes=1)}, NOW - timedelta(minutes=1)),
        ({}, NOW),
    ],
)
def test_the_start_is_the_providers_or_the_moment_it_was_seen(seen: dict[str, Any], expected: datetime) -> None:
    assert judged(job(JobStatus.QUEUED), Phase.RUNNING, **seen).changes["started_at"] == expected


def test_a_start_told_later_corrects_the_moment_that_was_only_seen() -> None:
    assert judged(job(started_at=NOW), Phase.RUNNING, started_at=EARLIER).changes == {"started_at": EARLIER}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"completed_at": EARLIER, "seen_at": NOW - timedelta(minutes=1)}, EARLIER),
        ({"seen_at": NOW - timedelta(minutes=1)}, NOW - timedelta(minutes=1)),
        ({}, NOW),
    ],
)
def test_the_end_is_the_providers_or_the_moment_it_was_seen(seen: dict[str, Any], expected: datetime) -> None:
    assert judged(job(), Phase.SUCCEEDED, **seen).changes["completed_at"] == expected


def test_a_job_that_ended_before_it_was_seen_running_is_given_no_start_of_our_own() -> None:
    assert "started_at" not in judged(job(JobStatus.QUEUED), Phase.CANCELED).changes


def test_no_end_is_taken_down_while_the_job_runs() -> None:
    assert "completed_at" not in judged(job(), Phase.RUNNING, completed_at=NOW).changes


def test_absent_values_overwrite_nothing() -> None:
    """A provider that says less than before takes nothing away (B4)."""
    assert judged(job(**FULL), Phase.RUNNING).changes == {}
    assert judged(job(**FULL), Phase.SUCCEEDED).changes == {"completed_at": NOW}


def test_only_what_differs_is_a_change() -> None:
    same = {name: value for name, value in FULL.items() if name != "error_message"} | {"error": "earlier words"}
    assert judged(job(**FULL), Phase.RUNNING, **same) == ObservationVerdict()
    assert judged(job(**FULL), Phase.RUNNING, **same | {"cost_usd": 2.0}).changes == {"cost_usd": 2.0}


def test_a_job_that_is_seen_again_is_uncertain_no_more() -> None:
    doubted = job(uncertain_since=EARLIER, uncertain_reason="no answer")
    assert judged(doubted, Phase.RUNNING).changes == {"uncertain_since": None, "uncertain_reason": None}


def test_an_unknown_word_does_not_end_the_doubt() -> None:
    doubted = job(uncertain_since=EARLIER, uncertain_reason="no answer")
    assert judged(doubted, Phase.UNKNOWN).changes == {}


observations = st.builds(
    Observation, st.sampled_from(Phase), st.text(max_size=5), st.none() | st.just(NOW), st.none() | st.just(EARLIER),
    st.none() | st.just(NOW), st.none() | st.integers(-9, 9), st.none() | st.integers(1, 15),
    st.none() | st.text(max_size=5), st.none() | st.floats(0, 9), st.none(), st.none() | st.just("file:///out"),
    st.none() | st.just({"step": 1}), st.none() | st.just({"loss": 1}), st.booleans(),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(JobStatus), st.lists(observations, max_size=6))
def test_whatever_a_provider_says_in_whatever_order_only_lawful_steps_follow(
    first: JobStatus, seen: list[Observation]
) -> None:
    """Applied one after another: every step stands in the table, every change differs, the same word twice is none."""
    one, entry = job(first), ENTRY_OF[first]
    for observation in seen:
        verdict = interpret(one, entry, observation, NOW)
        assert all(getattr(one, name) != value for name, value in verdict.changes.items())
        following = None if verdict.trigger is None else step(one.status, entry, verdict.trigger)
        assert (following is None) is (verdict.trigger is None)
        if following is not None:
            assert not one.is_terminal
            one, entry = attrs.evolve(one, status=following.job), following.entry
        one = attrs.evolve(one, **verdict.changes)
        again = interpret(one, entry, observation, NOW)
        assert (again.trigger, dict(again.changes)) == (None, {})


def test_a_job_has_started_only_when_it_is_seen_to_run() -> None:
    """Neither one that waits at its provider, nor at another time than the one that was seen first."""
    handed, started = job(JobStatus.UPLOADING), job(JobStatus.RUNNING, started_at=EARLIER)
    assert "started_at" not in judged(handed, Phase.QUEUED).changes
    assert judged(handed, Phase.RUNNING).changes["started_at"] == NOW
    assert judged(handed, Phase.RUNNING, seen_at=EARLIER).changes["started_at"] == EARLIER
    assert "started_at" not in judged(started, Phase.RUNNING).changes
    known = job(JobStatus.QUEUED, started_at=EARLIER)
    assert "started_at" not in judged(known, Phase.RUNNING).changes
