"""Levels, overrides and what waiting adds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.levels import base_priority, check_override, effective_priority, level_reaches

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["viewer"], 0),
        (["researcher"], 10),
        (["lead"], 20),
        (["admin"], 30),
        (["viewer", "admin", "researcher"], 30),
        ([" Lead "], 20),
        (["intern"], 10),
        (["viewer", "intern"], 10),
        ([], 10),
    ],
)
def test_the_highest_level_wins_and_an_unknown_one_is_normal(levels: list[str], expected: int) -> None:
    assert base_priority(levels) == expected


@pytest.mark.parametrize(
    ("base", "override", "minutes", "expected"),
    [
        (10, None, 0, 10),
        (10, None, 59.99, 10),
        (10, None, 60, 20),
        (10, None, 119.99, 20),
        (10, None, 180, 40),
        (10, None, 60 * 24 * 30, 40),
        (30, 0, 0, 0),
        (30, 0, 60, 10),
        (0, 35, 60, 40),
        (0, 50, 0, 50),
        (0, 50, 600, 50),
        (10, None, -90, 10),
    ],
)
def test_each_full_hour_adds_ten_up_to_forty_and_lowers_nothing(
    base: int, override: int | None, minutes: float, expected: int
) -> None:
    assert effective_priority(base, override, NOW - timedelta(minutes=minutes), NOW) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(-100, 5000), st.integers(0, 5000))
def test_the_older_of_two_alike_never_ranks_lower(start: int, minutes: int, more: int) -> None:
    """A lane's oldest entry may therefore stand for it."""
    younger = NOW - timedelta(minutes=minutes)
    assert effective_priority(start, None, younger - timedelta(minutes=more), NOW) >= effective_priority(
        start, None, younger, NOW
    )


@pytest.mark.parametrize("good", [None, 0, 50])
def test_an_override_may_be_none_or_from_0_to_50(good: int | None) -> None:
    check_override(good)


@pytest.mark.parametrize("bad", [-1, 51])
def test_another_override_is_refused_with_its_range(bad: int) -> None:
    with pytest.raises(ValueError, match=f"priority_override must be from 0 to 50, not {bad}"):
        check_override(bad)


@pytest.mark.parametrize(
    ("level", "required", "may"),
    [
        ("viewer", "lead", False),
        ("researcher", "lead", False),
        ("lead", "lead", True),
        ("Admin", "lead", True),
        ("nobody", "viewer", False),
        ("lead", "owner", False),
        ("admin", "owner", True),
    ],
)
def test_an_approver_needs_the_required_level_or_a_higher_one(level: str, required: str, may: bool) -> None:
    assert level_reaches(level, required) is may
