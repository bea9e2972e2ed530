"""Events in words: nothing is said twice."""

from __future__ import annotations

from actors.cli.event_text import describe


def test_a_reason_that_is_in_the_sentence_is_not_repeated() -> None:
    event = {"type": "job_rerun", "job_id": "j", "reason": "exit status 75: again"}
    assert describe(event, "small") == "small ended (exit status 75: again) and runs again"
