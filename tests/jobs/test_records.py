"""What the records mean where nothing is said, and which events are the same."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import attrs
import pytest

from actors.jobs.codec import request_to_json
from actors.jobs.records import (
    Capacity,
    Event,
    Job,
    JobRequest,
    JobStatus,
    QueueEntry,
    QueueStatus,
    Resources,
    Submission,
)
from actors.jobs.scheduling import Running
from actors.jobs.statuses import Restored, SubmissionState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", "local"),
        ("resources.cpus", 1),
        ("resources.gpus", 0),
        ("resources.memory", None),
        ("max_attempts", 3),
        ("after_mode", "ok"),
        ("rerun.times", 0),
        ("rerun.on", ("interrupted",)),
        ("rerun.exit_codes", ()),
        ("rerun.delay", 30),
    ],
)
def test_a_job_that_says_nothing_asks_for_what_is_promised(field: str, value: Any) -> None:
    assert attrgetter(field)(JobRequest()) == value


def test_a_provider_has_no_limits_of_its_own_and_counts_nothing_unless_it_says_so() -> None:
    assert attrs.asdict(Capacity()) == {"cpus": None, "gpus": None, "memory": None, "separate_limits": False}
    assert attrs.asdict(Resources()) == {"cpus": 1, "gpus": 0, "memory": None}


def test_a_new_entry_waits_for_nobody_and_nobody_for_it() -> None:
    entry = QueueEntry("j", QueueStatus.PENDING, 10, None, NOW, 1)
    assert entry.is_ready
    assert (entry.attempt, entry.max_attempts, entry.reruns, entry.run_first_attempt) == (0, 3, 0, 0)
    assert not entry.is_awaited
    assert not Submission("j", "k", "t", SubmissionState.INTENT, NOW).spends_attempt


@pytest.mark.parametrize(
    ("changes", "ready"),
    [
        ({}, True),
        ({"status": QueueStatus.RUNNING}, False),
        ({"status": QueueStatus.BLOCKED}, False),
        ({"not_before": NOW}, False),
        ({"start_after": NOW}, False),
        ({"unfinished_parents": 1}, False),
        ({"restored": Restored.LOOK_UP}, False),
    ],
)
def test_an_entry_is_ready_that_waits_for_nothing_but_limits_and_its_turn(changes: dict[str, Any], ready: bool) -> None:
    entry = QueueEntry("j", QueueStatus.PENDING, 10, None, NOW, 1)
    assert attrs.evolve(entry, **changes).is_ready is ready


def test_a_request_as_json_has_only_what_was_asked_for() -> None:
    assert request_to_json(JobRequest(command=("a",))) == {"command": ["a"]}


def test_the_first_version_of_a_job_is_one() -> None:
    assert Job("j", JobStatus.PENDING, "local", "c", JobRequest(), NOW, NOW).version == 1


def test_what_runs_is_one_job_unless_it_is_said_how_many() -> None:
    assert Running("ana", None, None, "local", Resources()).count == 1


def test_an_event_is_the_same_wherever_it_was_made_and_says_nothing_of_that() -> None:
    one, other = (Event(1, NOW, "job_uncertain", "j", "c", origin=place) for place in ("here", "there"))
    assert one == other
    assert "here" not in repr(one)
