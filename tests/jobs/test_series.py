"""Series: what is kept of a job's numbers, whatever they are and however the file was cut into reads."""

from __future__ import annotations

import base64
import math
from array import array
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs import series
from actors.jobs.series import MOST_POINTS, Point, Series, Summary, thinned
from actors.jobs.series_book import SeriesBook

NUMBERS = st.one_of(st.integers(-5, 5), st.floats(-10, 10), st.sampled_from([math.nan, math.inf, -math.inf]))
STEPS = st.one_of(st.none(), st.integers(0, 30), st.just("x"), st.booleans())
LINES = st.lists(
    st.builds(lambda step, loss: {"step": step, "loss": loss}, STEPS, st.one_of(st.none(), NUMBERS)), max_size=80
)
FEW = 12


def book_of(lines: list[dict[str, Any]], cuts: frozenset[int] = frozenset()) -> SeriesBook:
    """The book of ``lines``; at each of ``cuts`` the reader is another one, which has only what was stored."""
    book = SeriesBook()
    for number, line in enumerate(lines):
        if number in cuts:
            book = SeriesBook.of_state(book.state())
        book.add(line)
    return book


def points_of(lines: list[dict[str, Any]], name: str = "loss") -> list[Point]:
    [found] = [one.points for one in book_of(lines).snapshot().series if one.name == name]
    return found


def shown(points: list[Point]) -> list[tuple[float, float | None]]:
    return [(x, None if math.isnan(y) else y) for x, y in points]


def values_of(lines: list[dict[str, Any]]) -> list[tuple[float, float | None]]:
    """By the words of the contract: each value's x, of equal x the last; null has no value."""
    found: list[tuple[float, float | None]] = []
    known = False
    for number, line in enumerate(lines, start=1):
        step, value = line["step"], line["loss"]
        known = known or value is not None
        if not known:
            continue
        x = float(step) if type(step) is int else float(number)
        if found and found[-1][0] == x:
            found.pop()
        found.append((x, value))
    return found


@given(LINES, st.frozensets(st.integers(0, 80)), st.sampled_from([FEW, MOST_POINTS]))
def test_how_the_file_was_cut_into_reads_changes_nothing(
    lines: list[dict[str, Any]], cuts: frozenset[int], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "MOST_POINTS", most)
        assert repr(book_of(lines, cuts).snapshot()) == repr(book_of(lines).snapshot())  # NaN differs from itself
        assert book_of(lines, cuts).state() == book_of(lines).state()


@given(LINES, st.sampled_from([FEW, MOST_POINTS]))
def test_first_and_last_stay_the_order_stays_and_there_are_never_too_many(
    lines: list[dict[str, Any]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "MOST_POINTS", most)
        found = book_of(lines).snapshot().series
    values = values_of(lines)
    finite = [(x, float(y)) for x, y in values if y is not None and math.isfinite(y)]
    for one in found:
        points = one.points
        kept = [point for point in points if not math.isnan(point[1])]
        assert len(points) <= most
        assert kept[:1] == finite[:1]
        assert kept[-1:] == finite[-1:]
        rest = iter(finite)
        assert all(point in rest for point in kept)  # a part of them, in their order
        if len(values) * 2 < most:
            assert kept == finite
        for (before, y), (after, z) in pairwise(points):  # no line is drawn over a gap
            assert before <= after or math.isnan(y) or math.isnan(z)


@given(LINES)
def test_what_is_kept_beside_the_points_is_of_all_values(lines: list[dict[str, Any]]) -> None:
    values = [(x, float(y)) for x, y in values_of(lines) if y is not None]
    finite = [(x, y) for x, y in values if math.isfinite(y)]
    for one in book_of(lines).snapshot().series:
        summary = one.summary
        ends = [point for point in (summary.first, summary.last) if point is not None]
        reported = [(x, y if math.isfinite(y) else math.nan) for x, y in values]
        assert shown(ends) == (shown([reported[0], reported[-1]]) if reported else [])
        assert (summary.low or (0, None))[1] == min((y for _, y in finite), default=None)
        assert (summary.high or (0, None))[1] == max((y for _, y in finite), default=None)
        assert summary.non_finite == len(values) - len(finite)


def test_a_full_series_loses_every_second_inner_point_and_then_keeps_its_density() -> None:
    lines = [{"step": step, "loss": step / 7} for step in range(2_600)]
    assert [x for x, _ in points_of(lines[:1_000])] == list(range(1_000))
    assert [x for x, _ in points_of(lines[:1_001])] == list(range(0, 1_001, 2))
    assert [x for x, _ in points_of(lines)] == [*range(0, 2_600, 4), 2_599]


def test_a_full_series_that_ends_in_a_gap_is_thinned_too_and_keeps_it() -> None:
    lines = [{"step": step, "loss": step / 7} for step in range(1_000)]
    found = shown(points_of([*lines, {"step": 1_000, "loss": math.nan}]))
    assert [x for x, _ in found] == [*range(0, 1_000, 2), 999, 1_000]
    assert found[-2:] == [(999, 999 / 7), (1_000, None)]


def test_a_series_that_is_exactly_full_is_read_back_after_a_restart() -> None:
    lines = [{"step": step, "loss": step / 7} for step in range(1_003)]
    for cut in (1_000, 1_001, 1_002):
        assert book_of(lines, frozenset({cut})).snapshot() == book_of(lines).snapshot()


def test_of_equal_values_the_first_is_the_least_and_the_greatest() -> None:
    lines = [{"step": step, "loss": loss} for step, loss in enumerate([2.0, 1.0, 3.0, 1.0, 3.0, 2.0])]
    (found,) = book_of(lines).snapshot().series
    assert (found.summary.low, found.summary.high) == ((1, 1.0), (2, 3.0))


def test_of_a_series_of_which_nothing_is_known_no_value_was_not_finite() -> None:
    assert (Summary().first, Summary().non_finite) == (None, 0)


def test_x_is_the_step_or_the_number_of_the_line() -> None:
    assert points_of([{"loss": 3.0}, {"loss": 2.0}, {"note": "x"}, {"loss": 1.0}]) == [(1, 3.0), (2, 2.0), (4, 1.0)]
    assert points_of([{"step": True, "loss": 3.0}, {"step": "7", "loss": 2.0}]) == [(1, 3.0), (2, 2.0)]
    assert points_of([{"step": 0.5, "loss": 3.0}, {"step": 1.5, "loss": 2}]) == [(0.5, 3.0), (1.5, 2.0)]


def test_of_equal_x_the_last_value_counts() -> None:
    book = book_of([{"step": 1, "loss": 9.0}, {"step": 1, "loss": 2.0}, {"step": 1, "loss": math.nan}])
    [found] = book.snapshot().series
    assert shown(found.points) == [(1, None)]
    assert (found.summary.low, found.summary.non_finite) == (None, 1)


def test_gaps_and_the_border_between_two_segments() -> None:
    lines = [(1, 4.0), (2, math.inf), (3, None), (4, 3.0), (5, 2.0), (3, 2.5), (4, 2.0), (5, math.nan)]
    points = points_of([{"step": step, "loss": loss} for step, loss in lines])
    assert shown(points) == [(1, 4), (2, None), (4, 3), (5, 2), (3, None), (3, 2.5), (4, 2), (5, None)]


def test_no_gap_is_lost_by_thinning_and_sparse_values_between_nulls_stay() -> None:
    """A trainer that names every number in every line writes null where it has not measured one."""
    lines = [{"step": step, "eval": step / 10 if step % 100 == 0 else None} for step in range(100_000)]
    points = points_of(lines, "eval")
    kept = [x for x, y in points if not math.isnan(y)]
    assert kept == [*range(0, 100_000, 400)] + [99_900]
    assert [math.isnan(y) for _, y in points] == [False, True] * len(kept)


def test_names_nested_ones_and_what_is_no_number() -> None:
    deep: dict[str, Any] = {"x": 1}
    for _ in range(300):
        deep = {"d": deep}
    line = {"step": 1, "total": 9, "a": {"b": 1, "step": 2}, "ok": True, "t": "5", "l": [1], "n": None, "e": {}, **deep}
    assert [one.name for one in book_of([line]).snapshot().series] == ["a.b", "a.step"]
    assert points_of([{"n": None}, {"n": 1}, {"n": None}], "n")[0] == (2, 1.0)


def test_a_number_under_a_name_of_more_than_two_hundred_characters_makes_no_series() -> None:
    lines = [{"n" * 200: 1, "m" * 201: 1, "a": {"b" * 198: 1, "c" * 199: 1}}]
    assert [one.name for one in book_of(lines).snapshot().series] == ["n" * 200, "a." + "b" * 198]


def test_a_file_that_is_written_anew_goes_on_only_with_a_later_step() -> None:
    assert not book_of([{"loss": 1.0}]).continues({"step": 3})
    for book in (book_of([{"step": 2, "loss": 1.0}, {"loss": 1.0}]), book_of([{"step": 2}])):
        assert book.continues({"step": 3})
        assert not book.continues({"step": 2})
        assert not book.continues({"step": "3"})


def test_a_job_has_at_most_fifty_series() -> None:
    book = SeriesBook()
    book.add({f"n{number}": 1 for number in range(50)})
    assert not book.left_out
    book.add({"n0": 2, "late": 1})
    assert book.left_out
    names = [one.name for one in book.snapshot().series]
    assert names == [f"n{number}" for number in range(50)]


@pytest.mark.parametrize("state", ["", "x", "AAAA", "AAAAAAAAAAA="])
def test_a_damaged_state_is_refused(state: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, OverflowError)):
        SeriesBook.of_state({"lines": 1, "left_out": False, "step": None, "series": {"loss": state}})


@pytest.mark.parametrize(("points", "most", "left"), [(10, 10, 10), (10, 9, 6), (8, 1, 8), (9, 1, 5)])
def test_what_a_reader_can_take_is_not_thinned_and_eight_points_are_left(points: int, most: int, left: int) -> None:
    assert len(thinned([(float(x), 1.0) for x in range(points)], most)) == left


@pytest.mark.parametrize("points", [1, 2 * 1_001])
def test_a_state_of_half_a_point_or_of_too_many_is_refused(points: int) -> None:
    """15 numbers stand before the points, each of which is two."""
    Series.of_state(base64.b64encode(array("d", [0.0] * 17).tobytes()).decode())
    state = Series().state()
    with pytest.raises(ValueError, match="base64"):
        Series.of_state(f"{state[:8]}*{state[8:]}")
    with pytest.raises(ValueError, match="no series"):
        Series.of_state(base64.b64encode(array("d", [0.0] * (15 + points)).tobytes()).decode())


@given(LINES, st.integers(0, 40))
def test_thinning_for_a_reader_keeps_first_and_last(lines: list[dict[str, Any]], most: int) -> None:
    for one in book_of(lines).snapshot().series:
        points = one.points
        fewer = thinned(points, most)
        assert len(fewer) <= max(8, most)
        kept, all_of_them = ([point for point in found if not math.isnan(point[1])] for found in (fewer, points))
        assert (kept[:1], kept[-1:]) == (all_of_them[:1], all_of_them[-1:])
