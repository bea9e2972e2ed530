"""Whether a job runs again: only after a proven end, of a kind that was asked for, and never more often than asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.records import Job, JobRequest, JobStatus, Observation, Phase, QueueEntry, QueueStatus, Rerun
from actors.jobs.reruns import EndKind, delay_before, end_kind, rerun_fault, run_again

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = Rerun(3, ("interrupted", "failed", "timed_out"))
PREEMPTED = Observation(Phase.FAILED, interrupted="preempted")


def job(asked: Rerun, *, cancelled: bool = False) -> Job:
    at = NOW if cancelled else None
    request = JobRequest(rerun=asked)
    return Job("j", JobStatus.RUNNING, "local", "c", request, NOW, NOW, cancel_requested_at=at)


def entry(reruns: int = 0) -> QueueEntry:
    return QueueEntry(
        "j", QueueStatus.RUNNING, 10, None, NOW, 1, attempt=reruns, reruns=reruns, run_first_attempt=reruns
    )


@pytest.mark.parametrize(
    ("observation", "kind"),
    [
        (Observation(Phase.FAILED, exit_code=1), EndKind.FAILED),
        (PREEMPTED, EndKind.INTERRUPTED),
        (Observation(Phase.CANCELED, interrupted="preempted"), EndKind.INTERRUPTED),
        (Observation(Phase.LOST, proven_dead=True, interrupted="the machine was restarted"), EndKind.INTERRUPTED),
        (Observation(Phase.LOST, proven_dead=True), EndKind.FAILED),
        (Observation(Phase.LOST, interrupted="the machine was restarted"), None),
        (Observation(Phase.TIMED_OUT), EndKind.TIMED_OUT),
        (Observation(Phase.CANCELED), None),
        (Observation(Phase.SUCCEEDED, interrupted="preempted"), None),
        (Observation(Phase.RUNNING, interrupted="preempted"), None),
        (Observation(Phase.UNKNOWN, interrupted="preempted"), None),
    ],
)
def test_an_end_is_of_one_kind_and_what_is_not_proven_is_none(observation: Observation, kind: EndKind | None) -> None:
    assert end_kind(observation) is kind


@pytest.mark.parametrize(
    ("asked", "observation", "runs"),
    [
        (Rerun(1), PREEMPTED, True),
        (Rerun(1), Observation(Phase.FAILED, exit_code=75), False),
        (Rerun(1, exit_codes=(75,)), Observation(Phase.FAILED, exit_code=75), True),
        (Rerun(1, exit_codes=(75,)), Observation(Phase.TIMED_OUT, exit_code=75), True),
        (Rerun(1, exit_codes=(75,)), Observation(Phase.FAILED, exit_code=1), False),
        (Rerun(1, ("timed_out",)), PREEMPTED, False),
        (Rerun(1, ("failed",)), Observation(Phase.FAILED, exit_code=1), True),
        (Rerun(), PREEMPTED, False),
    ],
)
def test_only_after_an_end_that_was_asked_for(asked: Rerun, observation: Observation, runs: bool) -> None:
    assert (run_again(job(asked), entry(), observation, None, NOW) is not None) is runs


def test_the_wait_begins_with_the_delay_and_doubles_to_an_hour_unless_a_longer_one_was_asked_for() -> None:
    assert [delay_before(30, reruns) for reruns in (0, 1, 2, 6, 7, 1000)] == [30, 60, 120, 1920, 3600, 3600]
    assert [delay_before(7200, reruns) for reruns in (0, 1, 9)] == [7200, 7200, 7200]
    found = run_again(job(ALL), entry(2), PREEMPTED, None, NOW)
    assert found is not None
    assert (found.wait, found.not_before) == (120, NOW + timedelta(seconds=120))
    at_once = run_again(job(attrs.evolve(ALL, delay=0.0)), entry(), PREEMPTED, None, NOW)
    assert at_once is not None
    assert at_once.not_before is None


observations = st.builds(
    Observation,
    phase=st.sampled_from(Phase),
    exit_code=st.none() | st.sampled_from([0, 1, 75]),
    error=st.none() | st.just("words"),
    interrupted=st.none() | st.just("preempted"),
    proven_dead=st.booleans(),
)
asked = st.builds(
    Rerun,
    st.integers(0, 3),
    st.lists(st.sampled_from([kind.value for kind in EndKind]), unique=True).map(tuple),
    st.sampled_from([(), (75,), (1, 75)]),
)


@given(asked, st.integers(0, 4), st.booleans(), observations)
def test_never_more_often_than_asked_nor_after_a_cancel_nor_without_proof(
    wanted: Rerun, reruns: int, cancelled: bool, seen: Observation
) -> None:
    if run_again(job(wanted, cancelled=cancelled), entry(reruns), seen, seen.error, NOW) is None:
        return
    assert reruns < wanted.times
    assert not cancelled
    assert seen.phase in (Phase.FAILED, Phase.TIMED_OUT, Phase.LOST, Phase.CANCELED)
    assert seen.phase is not Phase.LOST or seen.proven_dead
    assert seen.phase is not Phase.CANCELED or seen.interrupted


@pytest.mark.parametrize(
    ("wrong", "path", "words"),
    [
        (Rerun(101), ("times",), "must be between 0 and 100, not 101"),
        (Rerun(0, ("failed",)), ("times",), "is 0, so that the job never runs again: say how often it may"),
        (Rerun(1, ()), ("on",), "is empty, and so is exit_codes: say after which ends the job runs again"),
        (Rerun(1, ("interupted",)), ("on", 0),
         "must be interrupted, failed, timed_out, not 'interupted'; did you mean interrupted?"),
        (Rerun(1, exit_codes=(75, 0)), ("exit_codes", 1), "must be between 1 and 255, not 0"),
        (Rerun(1, delay=-1), ("delay",), "must be between 0 and 86400 s, not -1"),
        (Rerun(1, delay=float("nan")), ("delay",), "must be between 0 and 86400 s, not nan"),
        (Rerun(3, ("failed", "timed_out"), (75,), 0.0), None, None),
        (Rerun(), None, None),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(
    wrong: Rerun, path: tuple[str | int, ...] | None, words: str | None
) -> None:
    assert rerun_fault(wrong) == (None if path is None else (path, words))
