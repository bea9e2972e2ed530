"""The numbers of past minutes follow from those of now and from what happened since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from actors.jobs.activity import MINUTES, Changes, activity, beginning

NOW = datetime(2024, 1, 1, 12, 30, 20, tzinfo=UTC)


def test_the_last_minute_is_the_one_that_is_not_over() -> None:
    assert beginning(NOW) == datetime(2024, 1, 1, 11, 31, tzinfo=UTC)
    assert beginning(NOW) + MINUTES * timedelta(minutes=1) == datetime(2024, 1, 1, 12, 31, tzinfo=UTC)


def test_levels_are_counted_backwards_from_now() -> None:
    """Three were made, two of them started, one of these ended; one of another day was cancelled while it waited."""
    changes = [
        Changes(made=3),
        Changes(started=2),
        Changes(),
        Changes(completed=1, cancelled=1, unstarted=1),
    ]
    found = activity(NOW, changes, waiting=1, blocked=1, running=1)
    assert [one.waiting for one in found.minutes] == [4, 2, 2, 1]
    assert [one.running for one in found.minutes] == [0, 2, 2, 1]
    assert [(one.completed, one.cancelled) for one in found.minutes] == [(0, 0), (0, 0), (0, 0), (1, 1)]


def test_no_level_is_below_nothing() -> None:
    """A job that ran twice in the hour ended twice and has one start."""
    found = activity(NOW, [Changes(made=1), Changes(made=5, started=3)], waiting=1, blocked=0, running=1)
    assert min(one.waiting for one in found.minutes) == 0
    assert min(one.running for one in found.minutes) == 0
