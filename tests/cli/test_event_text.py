"""Events as they are read from a stream, and in words."""

from __future__ import annotations

from typing import Any

import pytest

from actors.cli.event_text import describe, parsed


def test_a_reason_that_is_in_the_sentence_is_not_repeated() -> None:
    event = {"type": "job_rerun", "job_id": "j", "reason": "exit status 75: again"}
    assert describe(event, "small") == "small ended (exit status 75: again) and runs again"


def test_events_are_read_from_a_stream() -> None:
    lines = [
        "event: connection",
        'data: {"type":"connected"}',
        "",
        ": heartbeat",
        "",
        "id: 4",
        'data: {"type":"x"}',
        "",
    ]
    assert list(parsed(lines)) == [("connection", {"type": "connected"}, None), ("message", {"type": "x"}, "4")]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "job_status_changed", "status": "failed", "error_message": "boom"}, "small failed: boom"),
        ({"type": "job_status_changed", "status": "completed"}, "small completed"),
        ({"type": "job_status_changed", "status": "running"}, "small is running"),
        (
            {"type": "approval_requested", "approval_id": "a" * 26, "reason": "dear"},
            "small waits for an approval: dear",
        ),
        ({"type": "approval_granted", "by": "bo"}, "small is approved by bo"),
        ({"type": "job_progress", "progress": {"step": 1, "total": 2}}, "small progress 1/2"),
        ({"type": "job_progress", "progress": {"phase": "warm-up", "reward": 3.25}}, "small progress reward 3.25"),
        ({"type": "job_progress", "progress": {"phase": "warm-up"}}, "small progress reported"),
        (
            {"type": "provider_paused", "job_id": None, "provider": "ray", "by": "bo", "reason": "by bo"},
            "small provider ray is paused by bo",
        ),
        ({"type": "something_new"}, "small something new"),
    ],
)
def test_events_in_words(event: dict[str, Any], words: str) -> None:
    assert describe({"job_id": "j", **event}, "small").startswith(words)


def test_limits_and_providers_are_told_without_a_job() -> None:
    assert (
        describe({"type": "limits_changed", "job_id": None, "limit": "total", "value": 3}) == "limits: total is now 3"
    )
    assert describe({"type": "provider_paused", "job_id": None, "provider": "ray", "reason": "moving"}) == (
        "provider ray is paused: moving"
    )


def test_a_run_suggests_commands_as_they_are_typed_in_another_terminal() -> None:
    """GREENROOM_HOME may be set for the run alone."""
    event = {"type": "approval_requested", "job_id": "j", "approval_id": "0" * 14 + "abcdefghjkmn", "reason": "dear"}
    words = "small waits for an approval: dear; to approve it: GREENROOM_HOME=here greenroom approve abcdefghjkmn"
    assert describe(event, "small", lambda *typed: " ".join(("GREENROOM_HOME=here greenroom", *typed))) == words
    assert describe(event, "small").endswith("; to approve it: greenroom approve abcdefghjkmn")
