"""Which actor looks after which event, and how an event is said in words."""

from __future__ import annotations

import pytest

from actors.jobs.events import Concern, EventType, concerning, describe


def test_only_what_sets_a_deadline_concerns_the_deadlines() -> None:
    assert concerning(Concern.DEADLINE) == {EventType.APPROVAL_REQUESTED}


def test_what_is_to_be_asked_of_a_provider_concerns_the_providers() -> None:
    assert concerning(Concern.PROVIDERS) == {
        EventType.JOB_HANDED_OVER, EventType.JOB_CANCEL_REQUESTED, EventType.JOB_OUTCOME_UNKNOWN,
        EventType.JOB_SETTLED, EventType.JOB_RESTORED, EventType.PROVIDER_RESUMED,
    }  # fmt: skip


def test_an_event_may_concern_several_and_most_concern_nobody() -> None:
    assert EventType.JOB_RESTORED in concerning(Concern.RUNNABLE) & concerning(Concern.PROVIDERS)
    for nothing in (EventType.JOB_PROGRESS, EventType.JOB_DISPATCHED, EventType.ACCESS_GRANTED):
        assert not any(nothing in concerning(one) for one in Concern)


def test_an_event_is_said_in_its_sentence_or_in_the_words_of_its_name() -> None:
    assert EventType("job_rerun") is EventType.JOB_RERUN
    assert describe("job_rerun", {"reason": "preempted"}) == "ended (preempted) and runs again"
    assert describe("access_granted", {}) == "access granted"
    assert describe("of_a_newer_server", {}) == "of a newer server"


@pytest.mark.parametrize(
    ("type_", "level", "text"),
    [
        (EventType.JOB_STATUS_CHANGED, "INFO", "Job is now {status}"),
        (EventType.JOB_UNCERTAIN, "WARNING", "Job uncertain"),
        (EventType.RULES_CHANGED, "INFO", "Rules changed"),
        (EventType.JOB_PROGRESS, "DEBUG", "Job progress"),
    ],
)
def test_the_log_has_its_level_and_its_text(type_: EventType, level: str, text: str) -> None:
    assert (type_.level, type_.log_text) == (level, text)
