"""Slurm's states and our records in the runtime's terms: an exit record is the proof, Slurm's word is the cause."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.jobs.records import Observation, Phase
from actors.providers.slurm.records import Exit, Known, Start
from actors.providers.slurm.script import NO_DIRECTORY, SECOND_START
from actors.providers.slurm.squeue import SlurmJob
from actors.providers.slurm.statuses import Ending, needs_ending, needs_nodes, observation_of, vanished
from tests.providers.slurm.answers import NOW

BEGAN, ENDED = NOW - timedelta(hours=1), NOW - timedelta(minutes=30)
NOTHING = Known()
STARTED = Known(start=Start(7, "n1", BEGAN))


def exited(status: int, *, seconds_ago: float = 1800.0) -> Known:
    end = NOW - timedelta(seconds=seconds_ago)
    return Known(start=Start(7, "n1", BEGAN), exit=Exit(status, 7, "n1", BEGAN, end))


def seen(
    state: str, known: Known = NOTHING, *, ending: Ending | None = None, back: bool = True, nodes: str | None = "n1"
) -> Observation:
    job = SlurmJob(7, state, "k", "Resources" if state == "PENDING" else "", BEGAN, ENDED, nodes)
    return observation_of(job, known, NOW, ending=ending, nodes_are_back=back)


@pytest.mark.parametrize("state", ["PENDING", "CONFIGURING", "REQUEUED"])
def test_what_waits_is_queued(state: str) -> None:
    assert seen(state, nodes=None).phase is Phase.QUEUED


def test_slurms_reason_is_why_it_waits() -> None:
    assert seen("PENDING", nodes=None).waiting_reason == "Resources"


@pytest.mark.parametrize("state", ["RUNNING", "SUSPENDED", "COMPLETING"])
def test_what_runs_is_running_since_its_start_record(state: str) -> None:
    observation = seen(state, STARTED)
    assert (observation.phase, observation.started_at) == (Phase.RUNNING, BEGAN)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("COMPLETED", Phase.SUCCEEDED),
        ("FAILED", Phase.FAILED),
        ("CANCELLED", Phase.CANCELED),
        ("TIMEOUT", Phase.TIMED_OUT),
        ("OUT_OF_MEMORY", Phase.FAILED),
        ("DEADLINE", Phase.FAILED),
        ("PREEMPTED", Phase.FAILED),
        ("NODE_FAIL", Phase.LOST),
        ("BOOT_FAIL", Phase.LOST),
        ("SOMETHING_NEW", Phase.UNKNOWN),
    ],
)
def test_each_end_has_its_phase(state: str, phase: Phase) -> None:
    assert seen(state, STARTED, ending=Ending(1) if state == "FAILED" else None).phase is phase


def test_an_exit_record_goes_before_slurms_state() -> None:
    for state in ("COMPLETED", "NODE_FAIL", "BOOT_FAIL"):
        observation = seen(state, exited(3))
        assert (observation.phase, observation.exit_code) == (Phase.FAILED, 3)
        assert observation.completed_at == ENDED
    assert seen("FAILED", exited(0)).phase is Phase.SUCCEEDED
    assert seen("NODE_FAIL", exited(0)).phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("state", "phase"),
    [("CANCELLED", Phase.CANCELED), ("TIMEOUT", Phase.TIMED_OUT), ("PREEMPTED", Phase.FAILED)],
)
@pytest.mark.parametrize("status", [0, 3, 143])
def test_cancelled_and_timed_out_keep_slurms_word_for_the_cause(state: str, phase: Phase, status: int) -> None:
    observation = seen(state, exited(status))
    assert observation.phase is phase
    assert (observation.exit_code, observation.signal) == ((None, 15) if status == 143 else (status, None))


def test_while_slurm_says_that_it_runs_its_word_for_the_cause_is_waited_for() -> None:
    assert seen("COMPLETING", exited(143, seconds_ago=300)).phase is Phase.RUNNING
    assert seen("COMPLETING", exited(143, seconds_ago=900)).phase is Phase.FAILED
    assert seen("RUNNING", exited(0, seconds_ago=5)).phase is Phase.RUNNING
    late = seen("RUNNING", exited(0, seconds_ago=300))
    assert (late.phase, late.exit_code) == (Phase.SUCCEEDED, 0)


@pytest.mark.parametrize(
    ("state", "interrupted"),
    [
        ("PREEMPTED", "preempted by another job"),
        ("NODE_FAIL", "its node failed"),
        ("BOOT_FAIL", "its node did not boot"),
        *((state, None) for state in ("FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY")),
    ],
)
def test_which_ends_are_not_the_programs_own(state: str, interrupted: str | None) -> None:
    assert seen(state, STARTED, ending=Ending(1)).interrupted == interrupted


@pytest.mark.parametrize("state", ["NODE_FAIL", "BOOT_FAIL"])
def test_a_lost_node_proves_an_end_only_when_it_is_back(state: str) -> None:
    assert not seen(state, STARTED, back=False).proven_dead
    assert "may still run" in (seen(state, STARTED, back=False).error or "")
    assert seen(state, STARTED, back=True).proven_dead


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "PREEMPTED"])
def test_these_are_ends_only_while_the_nodes_answer(state: str) -> None:
    observation = seen(state, STARTED, back=False)
    assert (observation.phase, observation.proven_dead) == (Phase.LOST, False)
    assert needs_nodes(SlurmJob(7, state, "k", nodes="n1"), STARTED)
    assert not needs_nodes(SlurmJob(7, state, "k", nodes="n1"), exited(0))
    assert not needs_nodes(SlurmJob(7, state, "k"), NOTHING)  # it never had a node


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "OUT_OF_MEMORY", "DEADLINE"])
def test_these_are_ends_by_themselves(state: str) -> None:
    assert not needs_nodes(SlurmJob(7, state, "k", nodes="n1"), STARTED)


def test_only_a_bad_end_without_a_record_costs_a_question() -> None:
    assert needs_ending(SlurmJob(7, "FAILED", "k", nodes="n1"), STARTED)
    assert not needs_ending(SlurmJob(7, "FAILED", "k", nodes="n1"), exited(1))
    assert not needs_ending(SlurmJob(7, "CANCELLED", "k"), NOTHING)
    assert seen("FAILED", STARTED, ending=Ending(7)).exit_code == 7


def test_a_failure_says_why() -> None:
    assert seen("FAILED", exited(7)).error == "exit status 7"
    assert seen("FAILED", exited(137)).error == "ended by signal 9"
    assert seen("OUT_OF_MEMORY", exited(137)).error == "out of memory: ended by signal 9"
    assert seen("FAILED", STARTED).error == "FAILED"
    assert "could not start its script on n1" in (seen("FAILED", NOTHING, ending=Ending(1)).error or "")
    assert "deadline exceeded" in (seen("TIMEOUT", exited(143)).error or "")
    refused = SlurmJob(7, "FAILED", "k", "BadConstraints", BEGAN, ENDED)
    assert observation_of(refused, NOTHING, NOW).error == "Slurm did not start it: BadConstraints"
    assert "second time" in (seen("FAILED", NOTHING, ending=Ending(SECOND_START)).error or "")
    assert "must share" in (seen("FAILED", NOTHING, ending=Ending(NO_DIRECTORY)).error or "")


def test_a_record_that_vanished_is_uncertain_unless_an_exit_record_tells() -> None:
    gone = vanished(STARTED, NOW)
    assert (gone.phase, gone.proven_dead) == (Phase.LOST, False)
    assert "may still run on n1" in (gone.error or "")
    assert "how it ended is not known" in (vanished(NOTHING, NOW).error or "")
    told = vanished(exited(0), NOW)
    assert (told.phase, told.started_at, told.completed_at) == (Phase.SUCCEEDED, BEGAN, ENDED)


def test_a_job_that_never_got_a_node_did_not_start() -> None:
    assert seen("CANCELLED", nodes=None).started_at is None
