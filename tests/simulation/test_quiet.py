"""What the checker is sure of after the wall clock leapt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.simulation.quiet import QUIET, Quiet

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def quiet() -> Quiet:
    """The clock leapt by a day at second 100 of the world."""
    quiet = Quiet()
    quiet.jumped(100.0, DAY.total_seconds(), BEFORE + DAY)
    return quiet


def test_what_is_due_by_the_leap_alone_may_not_expire_within_ten_minutes(quiet: Quiet) -> None:
    due = BEFORE + timedelta(hours=1)
    assert quiet.forbids(101.0, BEFORE + DAY + timedelta(seconds=1), due)
    assert not quiet.forbids(100.0 + QUIET, BEFORE + DAY + timedelta(seconds=QUIET), due)
    assert not quiet.forbids(101.0, BEFORE + DAY + timedelta(seconds=1), BEFORE), "it was due before"


def test_what_was_decided_in_the_moment_before_the_leap_may_expire_after_it(quiet: Quiet) -> None:
    """Also if the clock was then set back, after which nothing seems due."""
    due = BEFORE - timedelta(seconds=1)
    quiet.jumped(100.0, -365 * DAY.total_seconds(), BEFORE - 364 * DAY)
    assert not quiet.forbids(100.0, BEFORE, due)
    assert quiet.forbids(100.0, BEFORE + DAY, BEFORE + timedelta(hours=1)), "decided by the clock that had leapt"
