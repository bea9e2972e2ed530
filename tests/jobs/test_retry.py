"""What follows from a failed hand-over, kind by kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.lifecycle import Trigger
from actors.jobs.records import QueueEntry, QueueStatus
from actors.jobs.retry import DispatchVerdict, FailureKind, after_failed_dispatch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(attempt: int = 0, max_attempts: int = 3) -> QueueEntry:
    return QueueEntry("job", QueueStatus.RUNNING, 10, None, NOW, 1, attempt, max_attempts)


def verdict(
    kind: FailureKind,
    *,
    attempt: int = 0,
    retry_after: float | None = None,
    consecutive: int = 0,
    chance: float = 1.0,
) -> DispatchVerdict:
    return after_failed_dispatch(kind, "why", entry(attempt), NOW, retry_after, consecutive, lambda: chance)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_an_invalid_request_fails_at_once_and_spends_nothing_more() -> None:
    assert verdict(FailureKind.INVALID) == DispatchVerdict(Trigger.FAIL, 0, error_message="why")


@pytest.mark.parametrize("kind", [FailureKind.AUTH, FailureKind.FORBIDDEN])
def test_a_refused_account_pauses_the_provider_and_lets_the_entry_wait(kind: FailureKind) -> None:
    """No attempt is spent: it is not the job's fault (B12)."""
    expected = DispatchVerdict(Trigger.REQUEUE, 2, error_message="why", pause_provider="why")
    assert verdict(kind, attempt=2) == expected


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE])
def test_what_was_surely_not_accepted_waits_as_long_as_the_provider_asks_and_spends_no_attempt(
    kind: FailureKind,
) -> None:
    got = verdict(kind, attempt=2, retry_after=17)
    assert got == DispatchVerdict(
        Trigger.REQUEUE, 2, not_before=after(17), error_message="why", close_provider_until=after(17), wait=17
    )


def test_without_a_time_given_the_provider_is_left_alone_longer_and_longer_up_to_a_minute() -> None:
    closed = [verdict(FailureKind.UNAVAILABLE, consecutive=failures) for failures in (0, 1, 2, 5, 6, 7, 10_000)]
    delays = [(one.close_provider_until - NOW).total_seconds() for one in closed if one.close_provider_until]
    assert delays == [1, 2, 4, 32, 60, 60, 60]


@pytest.mark.parametrize(("asked", "seconds"), [(0, 1), (-5, 1), (1e30, 86_400), (float("inf"), 1), (float("nan"), 1)])
def test_a_time_that_makes_no_sense_neither_spins_nor_closes_for_ever(asked: float, seconds: float) -> None:
    assert verdict(FailureKind.RATE_LIMITED, retry_after=asked).close_provider_until == after(seconds)


def test_a_lost_answer_keeps_its_slot() -> None:
    """Neither failed nor free: no trigger, no attempt (B13)."""
    assert verdict(FailureKind.OUTCOME_UNKNOWN, attempt=1) == DispatchVerdict(
        None, 1, error_message="why", unknown=True
    )


def test_only_a_lost_answer_leaves_the_outcome_open() -> None:
    assert [kind for kind in FailureKind if verdict(kind).unknown] == [FailureKind.OUTCOME_UNKNOWN]


def test_any_other_failure_spends_an_attempt_waits_longer_each_time_and_fails_at_the_last() -> None:
    """Three attempts are never over in 17 ms."""
    assert [verdict(FailureKind.OTHER, attempt=spent) for spent in range(3)] == [
        DispatchVerdict(Trigger.REQUEUE, 1, after(10), "why", wait=10),
        DispatchVerdict(Trigger.REQUEUE, 2, after(20), "why", wait=20),
        DispatchVerdict(Trigger.FAIL, 3, None, "why"),
    ]


def test_a_later_attempt_never_waits_for_more_than_ten_minutes() -> None:
    got = after_failed_dispatch(FailureKind.OTHER, "why", entry(50, 99), NOW, None, 0, lambda: 1.0)
    assert got.not_before == after(600)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FailureKind), st.integers(0, 60), st.integers(0, 5000), st.floats(0, 1))
def test_chance_takes_half_of_a_delay_at_most(kind: FailureKind, attempt: int, failures: int, chance: float) -> None:
    def delay(luck: float) -> timedelta | None:
        one = after_failed_dispatch(kind, "", entry(attempt, 99), NOW, None, failures, lambda: luck)
        return None if one.not_before is None else one.not_before - NOW

    shortest, drawn, longest = delay(0.0), delay(chance), delay(1.0)
    if longest is not None:
        assert shortest is not None
        assert drawn is not None
        assert timedelta(0) < shortest == longest / 2 <= drawn <= longest


def test_two_hours_of_an_unreachable_provider_fail_nothing() -> None:
    """However often it is tried meanwhile, the entry comes back with all its attempts (B12)."""
    waiting, now = entry(), NOW
    for failures in range(200):
        got = after_failed_dispatch(FailureKind.UNAVAILABLE, "down", waiting, now, None, failures, lambda: 0.5)
        assert (got.trigger, got.attempt) == (Trigger.REQUEUE, 0)
        assert got.close_provider_until is not None
        assert got.close_provider_until > now
        now = got.close_provider_until
    assert now - NOW > timedelta(hours=2)
