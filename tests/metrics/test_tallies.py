"""Counting from events: waits, latencies, ends; and what must not be counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.records import Event
from actors.metrics import Histogram, Tallies
from actors.metrics import tallies as module

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def told(tallies: Tallies, *events: tuple[float, str, str, dict[str, object]]) -> None:
    for seconds, type_, job_id, data in events:
        tallies.note(Event(1, START + timedelta(seconds=seconds), type_, job_id, "c", data))


def test_a_wait_lasts_from_being_allowed_to_run_until_the_dispatch() -> None:
    """The time before an approval is a person's, not the queue's."""
    tallies = Tallies()
    told(
        tallies,
        (0, "approval_requested", "a", {"status": "pending"}),
        (100, "approval_granted", "a", {}),
        (104, "job_dispatched", "a", {}),
        (104.2, "job_handed_over", "a", {}),
    )
    assert (tallies.queue_wait.sum, sum(tallies.queue_wait.counts)) == (4.0, 1)
    assert (round(tallies.dispatch.sum, 6), sum(tallies.dispatch.counts)) == (0.2, 1)


def test_the_time_before_it_was_due_is_no_wait() -> None:
    """As of a job that waited for another one; of a job that is sent back, the time before that counts neither."""
    tallies = Tallies()
    due = (START + timedelta(seconds=60)).isoformat()
    told(
        tallies,
        (0, "job_queued", "a", {}),
        (61, "job_dispatched", "a", {"queued_at": due}),
        (70, "job_requeued", "a", {"status": "pending"}),
        (72, "job_dispatched", "a", {"queued_at": due}),
    )
    assert (tallies.queue_wait.sum, sum(tallies.queue_wait.counts)) == (3.0, 2)


def test_a_job_that_goes_back_waits_anew() -> None:
    tallies = Tallies()
    told(
        tallies,
        (0, "job_queued", "a", {}),
        (1, "job_dispatched", "a", {}),
        (2, "job_requeued", "a", {"status": "pending"}),
        (5, "job_dispatched", "a", {}),
    )
    assert (tallies.queue_wait.sum, sum(tallies.queue_wait.counts)) == (4.0, 2)


def test_what_was_let_run_before_the_start_is_not_guessed() -> None:
    tallies = Tallies()
    told(tallies, (9, "job_dispatched", "old", {}), (9, "job_handed_over", "old", {}))
    assert sum(tallies.queue_wait.counts) == 0


def test_a_clock_that_steps_back_makes_no_negative_wait() -> None:
    tallies = Tallies()
    told(tallies, (10, "job_queued", "a", {}), (3, "job_dispatched", "a", {}))
    assert tallies.queue_wait.sum == 0.0


def test_an_ended_job_is_forgotten_and_counted_once() -> None:
    tallies = Tallies()
    told(
        tallies,
        (0, "job_queued", "a", {}),
        (1, "job_status_changed", "a", {"status": "cancelled"}),
        (2, "job_progress", "a", {"status": "cancelled"}),
        (2, "job_dispatched", "a", {}),
    )
    assert (tallies.ended, tallies.accepted, sum(tallies.queue_wait.counts)) == ({"cancelled": 1}, 1, 0)


def test_jobs_being_timed_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten: memory does not grow with the backlog."""
    monkeypatch.setattr(module, "MOST_REMEMBERED", 2)
    tallies = Tallies()
    told(
        tallies, *[(0, "job_queued", name, {}) for name in "abc"], *[(1, "job_dispatched", name, {}) for name in "abc"]
    )
    assert sum(tallies.queue_wait.counts) == 2


@given(st.lists(st.floats(0, 1e6, allow_nan=False)))
def test_cumulative_counts_say_how_many_lie_at_or_below_each_bound(values: list[float]) -> None:
    histogram = Histogram((0.5, 1, 60))
    for value in values:
        histogram.observe(value)
    expected = [float(sum(value <= bound for value in values)) for bound in histogram.bounds] + [float(len(values))]
    assert [count for _label, count in histogram.cumulative()] == expected
