"""What events and deliveries ask the poller to look at: taken together, each once, and only what is still needed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors.jobs.events import EventType
from actors.jobs.records import Event
from actors.poller.poll_requests import Batch, PollRequests


def event(type_: EventType, job_id: str = "job", **data: object) -> Event:
    return Event(
        seq=1, time=datetime(2026, 1, 1, tzinfo=UTC), type=type_.value, job_id=job_id, correlation_id="c", data=data
    )


HANDED = event(EventType.JOB_HANDED_OVER, status="uploading", submission="job-1")


def test_a_submission_that_was_accepted_has_its_own_row_looked_at() -> None:
    requests = PollRequests()
    assert requests.note(HANDED) is True
    assert requests.note(event(EventType.JOB_HANDED_OVER, "other", submission="other-1")) is True
    found = requests.take()
    assert (found.everything, found.rows, found.observe) == (False, {"job": "job-1", "other": "other-1"}, {})
    assert requests.take() == Batch()


def test_a_job_that_has_ended_meanwhile_is_not_looked_at() -> None:
    requests = PollRequests()
    requests.note(HANDED)
    assert requests.note(event(EventType.JOB_STATUS_CHANGED, status="running")) is False
    assert requests.note(event(EventType.JOB_STATUS_CHANGED, "other", status="completed")) is False
    requests.note(HANDED)
    assert requests.note(event(EventType.JOB_STATUS_CHANGED, status="completed")) is False
    assert requests.take() == Batch()


@pytest.mark.parametrize(
    "type_",
    [
        EventType.JOB_CANCEL_REQUESTED, EventType.JOB_OUTCOME_UNKNOWN, EventType.JOB_SETTLED, EventType.JOB_RESTORED,
        EventType.PROVIDER_RESUMED,
    ],
)  # fmt: skip
def test_what_is_to_be_settled_or_cancelled_has_all_such_rows_looked_at(type_: EventType) -> None:
    requests = PollRequests()
    assert requests.note(event(type_)) is True
    assert requests.take() == Batch(everything=True)


def test_a_job_that_a_delivery_names_is_asked_about_once_at_its_provider() -> None:
    requests = PollRequests()
    for provider, key in (("one", "a"), ("one", "b"), ("one", "a"), ("other", "a")):
        requests.recheck(provider, key)
    assert requests.take() == Batch(observe={"one": {"a", "b"}, "other": {"a"}})
    assert requests.take() == Batch()
