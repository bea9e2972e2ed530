"""When nothing is removed by its age: after a leap of the clock, a long silence, or where too much would go at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from actors.jobs.retention import HOLD_SECONDS, Hold, PruneResult, kept_since, leapt, silent, too_many

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK, SECOND = timedelta(days=7), timedelta(seconds=1)


def test_a_start_after_more_than_a_week_of_silence_may_have_a_wrong_clock() -> None:
    assert silent(NOW - WEEK, NOW) is None
    assert silent(NOW - WEEK - SECOND, NOW) == "at the start the newest event was 7 days old"
    assert silent(None, NOW) is None


@pytest.mark.parametrize(
    ("old", "kept", "held"),
    [(100, 100, False), (101, 1_010, False), (101, 1_009, True), (1_000, 10_000, False), (1_001, 10_000, True)],
)
def test_more_than_a_hundred_jobs_and_more_than_a_tenth_are_too_many_at_once(old: int, kept: int, held: bool) -> None:
    assert too_many(old, kept) == (f"{old} of {kept} jobs would be removed in one pass" if held else None)


def test_a_new_hold_has_not_run_nor_warned_and_is_not_over() -> None:
    hold = Hold("why", NOW)
    assert (hold.ran, hold.warned, hold.over) == (0, False, False)
    assert hold.in_words() == "why; ends after 24.0 h more of running, or at once with: greenroom prune --yes"
    assert hold.after(HOLD_SECONDS).after(1).over
    assert hold.after(2 * HOLD_SECONDS).in_words().startswith("why; ends after 0.0 h more")


@pytest.mark.parametrize(
    ("forward", "words"),
    [(timedelta(minutes=90), "1.5 hours"), (timedelta(hours=47.9), "47.9 hours"), (timedelta(hours=48), "2 days")],
)
def test_a_leap_is_told_in_hours_and_from_two_days_on_in_days(forward: timedelta, words: str) -> None:
    assert leapt(forward) == f"the wall clock went forward by {words}"


def test_jobs_are_kept_for_ever_for_no_days_and_for_more_than_there_are() -> None:
    assert kept_since(NOW, 7) == NOW - WEEK
    assert kept_since(NOW, 0) is None
    assert kept_since(NOW, 1e9) is None


def test_nothing_was_removed_unless_it_is_said() -> None:
    assert attrs.astuple(PruneResult(None)) == (None, 0, 0, 0, None, None, None)
