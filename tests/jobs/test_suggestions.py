"""Suggestions of what was meant."""

from __future__ import annotations

import difflib

import pytest

from actors.jobs.suggestions import did_you_mean, one_letter_apart, suggestion, suggestion_of_configured


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("gpus", "gpu", True),
        ("gpu", "gpus", True),
        ("xgpu", "gpu", True),
        ("gpu", "gpx", True),
        ("gpu", "gup", True),
        ("gpu", "gpu", False),
        ("gpu", "gxx", False),
        ("gpu", "gpuss", False),
        ("abcd", "badc", False),
        ("abc", "abxd", False),
    ],
)
def test_one_letter_added_left_out_or_changed_or_two_neighbours_swapped(one, other, apart):
    assert one_letter_apart(one, other) is apart


def test_what_is_near_is_guessed_and_a_short_list_is_shown():
    assert suggestion("locl", ["local", "ray"]) == "; did you mean local?"
    assert suggestion("nothing", ["local", "ray"]) == ""
    assert did_you_mean("nothing", ["local", "ray"]) == "; known are local, ray"
    assert did_you_mean("nothing", []) == ""
    assert did_you_mean("x", [str(number) for number in range(12)]).startswith("; known are 0")
    assert did_you_mean("x", [str(number) for number in range(13)]) == ""


def test_of_very_many_and_very_long_names_only_some_are_compared(monkeypatch):
    compared = []
    real = difflib.get_close_matches

    def note(wrong, known, n):
        compared.append([wrong, *known])
        return real(wrong, known, n=n)

    monkeypatch.setattr(difflib, "get_close_matches", note)
    known = [f"v-{number:05}" for number in range(10_000)]
    assert suggestion("v-0012", known).startswith("; did you mean v-00")
    assert suggestion("x" * 10_000, ["x" * 9_999]) == f"; did you mean {'x' * 9_999}?"
    assert all(len(some) <= 301 and max(map(len, some)) <= 80 for some in compared)


def test_where_more_may_be_added_the_section_is_named():
    others = "others are added in section providers of the supervisor's configuration"
    assert suggestion_of_configured("locl", ["local"], "providers") == "; did you mean local?"
    assert suggestion_of_configured("x", ["local"], "providers") == f"; known are local; {others}"
    assert suggestion_of_configured("x", [], "providers") == f"; {others}"
    assert suggestion_of_configured("x", [str(n) for n in range(13)], "providers") == f"; {others}"
