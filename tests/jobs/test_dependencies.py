"""Jobs that wait for others, in words: what may be named, which end is a bad one, and why one waits."""

from __future__ import annotations

from typing import Any

import pytest

from actors.jobs.dependencies import Parent, Relatives, bad_end, breaks, reason_to_wait, reference_fault, refusal_of
from actors.jobs.records import JobStatus

SHAPE = 'must be a job or {"group": NAME}'
GROUP = "must name a group, in at most 200 characters"


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("train-1", None),
        ("", "must not be empty"),
        ({"group": "g"}, None),
        ({"group": "g" * 200}, None),
        ({"group": "g" * 201}, GROUP),
        ({"group": ""}, GROUP),
        ({"group": 5}, SHAPE),
        ({"group": "g", "other": "x"}, SHAPE),
        ({}, SHAPE),
        (5, SHAPE),
        (None, SHAPE),
    ],
)
def test_a_job_or_a_group_is_named_and_nothing_else(reference: Any, fault: str | None) -> None:
    assert reference_fault(reference) == fault


@pytest.mark.parametrize("status", JobStatus)
def test_a_job_never_starts_after_a_bad_end_unless_any_end_will_do(status: JobStatus) -> None:
    bad = status in (JobStatus.FAILED, JobStatus.CANCELLED)
    assert breaks(status, "ok") is bad
    assert breaks(status, "ended") is False


def test_why_a_job_waits_or_never_starts() -> None:
    named, nameless = Parent("01ab", "train", JobStatus.FAILED), Parent("01ab", None, JobStatus.RUNNING)
    assert bad_end(named) == "train, which it waits for, failed"
    assert refusal_of(named).startswith("train (01ab) failed, so this job would never start")
    assert refusal_of(Parent("01ab", None, JobStatus.CANCELLED)).startswith("01ab was cancelled, so")
    assert reason_to_wait(nameless, 1) == "waits for 01ab (running)"
    assert reason_to_wait(nameless, 2) == "waits for 01ab (running) and 1 more"
    assert (named.has_ended, nameless.has_ended) == (True, False)
    assert not named.broke
    assert Relatives().number == 0
