"""Series of several attempts as one curve, and which of their values is the best."""

from __future__ import annotations

import math
from array import array

import pytest

from actors.jobs.comparing import curves, goal_of, joined
from actors.jobs.series import SeriesData, Summary

EARLY = Summary(first=(0, 5.0), last=(2, 3.0), low=(2, 3.0), high=(0, 5.0), non_finite=1)
LATE = Summary(first=(1, 4.0), last=(4, 6.0), low=(3, 2.0), high=(4, 6.0), non_finite=2)


def test_a_series_that_went_on_has_the_first_value_of_the_one_and_the_last_of_the_other():
    assert joined(EARLY, LATE) == Summary(first=(0, 5.0), last=(4, 6.0), low=(3, 2.0), high=(4, 6.0), non_finite=3)
    assert joined(LATE, EARLY) == Summary(first=(1, 4.0), last=(2, 3.0), low=(3, 2.0), high=(4, 6.0), non_finite=3)


def test_an_attempt_without_a_finite_value_changes_only_their_number():
    none = Summary(non_finite=4)
    assert joined(EARLY, none) == Summary(EARLY.first, EARLY.last, EARLY.low, EARLY.high, 5)
    assert joined(none, LATE) == Summary(LATE.first, LATE.last, LATE.low, LATE.high, 6)


def test_of_equal_values_the_earlier_is_the_best():
    again = Summary(first=(7, 5.0), last=(7, 3.0), low=(7, 3.0), high=(7, 5.0))
    assert joined(EARLY, again).low == EARLY.low
    assert joined(EARLY, again).high == EARLY.high


@pytest.mark.parametrize(
    ("name", "rules", "goal"),
    [
        ("loss", [], "min"),
        ("val_loss", [], "min"),
        ("accuracy", [], None),
        ("loss", [{"loss": "max"}], "max"),
        ("f1", [{}, {"f1": "max"}], "max"),
        ("f1", [{"f1": "min"}, {"f1": "max"}], "min"),
    ],
)
def test_the_first_rule_that_names_a_series_decides_which_value_is_the_best(name, rules, goal):
    assert goal_of(name, *rules) == goal


def series(name, *points):
    packed = array("d", [x for x, _ in points] + [y for _, y in points]).tobytes()
    return SeriesData(name, packed, Summary(first=points[0], last=points[-1]))


def test_an_attempt_that_began_again_further_back_is_a_curve_with_a_gap():
    found = curves([series("loss", (0, 5.0), (2, 3.0)), series("loss", (1, 4.0))], 100)["loss"]
    assert found.points[:2] == [(0, 5.0), (2, 3.0)]
    assert math.isnan(found.points[2][1])
    assert found.points[3] == (1, 4.0)
    assert (found.summary.first, found.summary.last) == ((0, 5.0), (1, 4.0))


def test_one_that_went_on_is_a_curve_without_a_gap():
    found = curves([series("loss", (0, 5.0), (2, 3.0)), series("loss", (2, 4.0)), series("f1", (0, 1.0))], 100)
    assert found["loss"].points == [(0, 5.0), (2, 3.0), (2, 4.0)]
    assert found["f1"].points == [(0, 1.0)]
