"""The end of a running job by its pace: known late enough, never before what is possible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.estimates import MOST_PAIRS, PAIR_SECONDS, Span, advanced, estimated_end, pairs_of

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def paced(reports: list[tuple[float, float]], total: float) -> Any:
    """The pace after these (seconds, step) reports."""
    pace: Any = None
    for seconds, step in reports:
        pace = advanced(pace, {"step": step, "total": total}, START, at(seconds)) or pace
    return pace


def end_after(reports: list[tuple[float, float]], total: float, now: float, **more: Any) -> Span | None:
    progress = {"step": reports[-1][1], "total": total}
    return estimated_end(paced(reports, total), progress, START, at(now), **more)


def steady(until: float, seconds_per_step: float) -> list[tuple[float, float]]:
    steps = int(until / seconds_per_step)
    return [(step * seconds_per_step, step) for step in range(1, steps + 1)]


def test_a_steady_job_ends_when_its_speed_says() -> None:
    span = end_after(steady(100, 1.0), 1_000, now=100)
    assert span is not None
    assert span.earliest == pytest.approx(at(1_000), abs=timedelta(seconds=10))
    assert span.latest == pytest.approx(at(1_000), abs=timedelta(seconds=30))


def test_the_last_half_of_the_steps_counts() -> None:
    """The first hundred steps were ten times as slow, as while the data were read for the first time."""
    slow = [(10.0 * step, step) for step in range(1, 101)]
    fast = [(1_000.0 + step, 100 + step) for step in range(1, 201)]
    span = end_after(slow + fast, 1_000, now=1_200)
    assert span is not None
    assert span.middle < at(1_200 + 2 * 700)


@pytest.mark.parametrize(
    ("reports", "total", "now"),
    [
        (steady(29, 1.0), 100, 29),  # not 30 s yet
        (steady(100, 2.0), 1_000, 100),  # exactly 5 %
        ([(40, 20)], 100, 50),  # one report tells no speed
        ([(40, 20), (60, 20)], 100, 60),
    ],
)
def test_what_is_not_known_is_not_shown(reports: list[tuple[float, float]], total: float, now: float) -> None:
    assert end_after(reports, total, now) is None


@pytest.mark.parametrize("progress", [None, {}, {"step": 5}, {"step": True, "total": 9}, {"step": 5, "total": 0}])
def test_a_job_that_does_not_say_both_has_no_pace(progress: Any) -> None:
    assert advanced(None, progress, START, at(1)) is None
    assert estimated_end([[0, 1], [1, 2]], progress, START, at(100)) is None


def test_a_pace_without_a_step_forward_tells_no_speed() -> None:
    pace = [[START.timestamp() + seconds, 50] for seconds in (0, 100)]
    assert estimated_end(pace, {"step": 50, "total": 100}, START, at(200)) is None


def test_a_step_back_and_another_attempt_begin_anew() -> None:
    pace = paced([(0, 500), (20, 510), (40, 300), (60, 320)], 1_000)
    assert [step for _, step in pairs_of(pace)] == [300, 320]
    later = advanced(pace, {"step": 330, "total": 1_000}, at(100), at(120))
    assert [step for _, step in pairs_of(later)] == [330]


def test_a_job_that_fell_silent_is_as_slow_as_that() -> None:
    before, after = (end_after(steady(100, 1.0), 200, now=now) for now in (100, 500))
    assert before is not None
    assert after is not None
    assert after.latest > at(1_000)


def test_a_report_that_is_newer_than_the_pace_counts_as_if_it_were_a_part_of_it() -> None:
    """A pace has a pair for every so many seconds; the newest report is known sooner."""
    reports = [(100.0, 100.0), (200.0, 200.0)]
    newest = {"step": 400, "total": 1_000}
    pace = paced(reports, 1_000)

    def end(reported: float, now: float = 300.0, progress: Any = newest) -> Span | None:
        return estimated_end(pace, progress, START, at(now), reported_at=at(reported))

    whole = estimated_end(paced([*reports, (300.0, 400.0)], 1_000), newest, START, at(300))
    assert end(300) == whole
    old = estimated_end(pace, newest, START, at(300))
    assert old != whole
    assert end(301) == old  # from the future, by a clock that is wrong
    assert end(200) == old  # as old as the pace
    same = {"step": 200, "total": 1_000}
    assert end(300, progress=same) == estimated_end(pace, same, START, at(300))


def test_it_ends_at_its_deadline_at_the_latest() -> None:
    assert end_after(steady(100, 1.0), 1_000, 100, max_runtime=600.0) == Span(at(600), at(600))
    assert end_after(steady(100, 1.0), 1_000, 100, max_runtime=1e300) is not None


@pytest.mark.parametrize("pace", ["x", [1], [[1]], [[1, "x"], [2, None]], {"a": 1}, [["1", 2], [None, 3]], ["ab"]])
def test_a_damaged_pace_is_none(pace: Any) -> None:
    assert pairs_of(pace) == []
    assert estimated_end(pace, {"step": 50, "total": 100}, START, at(100)) is None


def test_a_pace_has_at_most_sixty_four_pairs_ten_seconds_apart() -> None:
    """So that a job that reports every second costs no more than one that reports now and then."""
    pace = paced([(10.0 * step, step) for step in range(1, 200)], 1_000)
    assert len(pairs_of(pace)) == 64
    assert pairs_of(pace)[-1][1] == 199
    one = paced([(10.0, 10)], 1_000)
    assert advanced(one, {"step": 20, "total": 1_000}, START, at(19.9)) is None
    assert advanced(one, {"step": 20, "total": 1_000}, START, at(20)) is not None


def test_the_span_is_as_wide_as_the_quarters_of_the_last_half_differ() -> None:
    """Of the last 50 steps the third quarter took twice as long: one step in two seconds instead of each second."""
    pace = [[START.timestamp() + seconds, step] for seconds, step in ((0, 0), (75, 75), (100, 87.5), (112.5, 100))]
    span = estimated_end(pace, {"step": 100, "total": 200}, START, at(112.5))
    assert span == Span(at(112.5 + 100), at(112.5 + 200))


REPORTS = st.lists(st.tuples(st.floats(0.1, 120), st.integers(0, 500)), min_size=1, max_size=120)


@given(REPORTS, st.floats(0, 10_000), st.integers(1, 100_000), st.sampled_from([None, 50.0, 1e9]))
def test_never_earlier_than_the_soonest_possible_end(
    gaps: list[tuple[float, int]], silent: float, total: int, max_runtime: float | None
) -> None:
    """Not in the past, and not before the steps that are left could be done at the highest speed that was seen."""
    reports, seconds, step = list[tuple[float, float]](), 0.0, 0.0
    for gap, steps in gaps:
        seconds, step = seconds + gap, step + steps
        reports.append((seconds, step))
    pace = paced(reports, total)
    pairs = pairs_of(pace)
    assert len(pairs) <= MOST_PAIRS
    assert all(after - before >= PAIR_SECONDS - 0.11 and z > y for (before, y), (after, z) in pairwise(pairs))
    now = at(seconds + silent)
    span = end_after(reports, total, seconds + silent, max_runtime=max_runtime)
    if span is None:
        return
    assert now <= span.earliest <= span.latest
    fastest = max((z - y) / (after - before) for (before, y), (after, z) in pairwise(pairs))
    soonest = pairs[-1][0] + max(0.0, total - pairs[-1][1]) / fastest
    deadline = float("inf") if max_runtime is None else max(at(max_runtime), now).timestamp()
    assert span.earliest.timestamp() >= min(soonest, deadline) - 0.001


ANY = st.one_of(
    st.floats(allow_nan=True), st.floats(0, 100), st.integers(),
    st.sampled_from([1.0e308, 1.35e308, 1.75e308, 1e16, 1e16 + 2, 5e-324, 1e-323, 2.0**53, 2.0**53 - 1]),
)  # fmt: skip


@given(st.lists(ANY, min_size=1, max_size=9), ANY, st.sampled_from([1, 11, 100]), st.floats(0, 1e5))
def test_whatever_numbers_a_job_reports_there_is_an_estimate_or_none(
    steps: list[float], total: float, apart: int, later: float
) -> None:
    """They come from the job, and what is shown to everybody must not fail for them."""
    reports = [
        (30.0 + apart * number, step) for number, step in enumerate(sorted(steps, key=lambda one: (one != one, one)))
    ]
    span = end_after(reports, total, now=reports[-1][0] + later)
    assert span is None or span.earliest <= span.latest


def test_an_estimate_comes_after_a_twentieth_of_the_steps_and_half_a_minute() -> None:
    """At either bound there is none yet."""
    assert end_after(steady(300, 60), 100, 300) is None  # 5 of 100 steps
    assert end_after(steady(360, 60), 100, 360) is not None
    assert end_after(steady(30, 3), 100, 30) is None
    assert end_after(steady(30, 3), 100, 30.5) is not None
