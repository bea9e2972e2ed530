"""The second account of every job: what the events alone say, and what they must not say."""

from datetime import UTC, datetime

import pytest

from actors.jobs.records import Event
from actors.simulation.replay import Replay

NOW = datetime(2024, 1, 15, tzinfo=UTC)
LIFE = [
    ("job_queued", "pending"),
    ("job_dispatched", "uploading"),
    ("job_handed_over", "uploading"),
    ("job_status_changed", "running"),
    ("job_status_changed", "completed"),
]


def broken(events, start=1):
    """The rules that these events break, one after another."""
    found = []
    replay = Replay(lambda holds, rule, _text: None if holds else found.append(rule))
    for seq, (kind, status, *more) in enumerate(events, start=start):
        data = {"status": status}
        replay.feed(Event(more[0] if more else seq, NOW, kind, "j", more[1] if more[1:] else "c", data))
    return found


def test_a_life_as_the_table_has_it_breaks_nothing():
    assert broken(LIFE) == []


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        ([*LIFE, ("job_status_changed", "failed")], "terminal is final"),
        ([*LIFE[:4], ("job_status_changed", "queued")], "steps stand in the table"),
        ([LIFE[0], LIFE[3]], "steps stand in the table"),
        ([LIFE[0], ("job_dispatched", "uploading", 3)], "events without a gap"),
        ([LIFE[0], ("job_dispatched", "uploading", 1)], "events without a gap"),
        ([LIFE[0], ("job_dispatched", "uploading", 2, "another")], "one correlation ID"),
        ([LIFE[0], ("job_handed_over", "uploading")], "events tell the status"),
        ([LIFE[0], ("job_vanished", "pending")], "known events"),
        ([("approval_requested", "pending"), ("approval_granted", "pending"), ("approval_expired", "cancelled")],
         "steps stand in the table"),
    ],
)  # fmt: skip
def test_what_must_not_be_told_is_noticed(events, rule):
    assert rule in broken(events)
