"""Cursors: only a place that this list gave out, with the same filters and to the same caller, is read."""

from __future__ import annotations

import pytest

from actors.jobs.pages import Cursors, Page
from actors.jobs.refusal import Refused


def test_a_cursor_brings_back_its_place():
    cursors = Cursors("jobs", "ana", None)
    assert cursors.read(cursors.write(("abc", 3)), str, int) == ("abc", 3)
    assert cursors.read(None, str, int) is None


@pytest.mark.parametrize("other", [("queue", "ana", None), ("jobs", "bo", None), ("jobs", "ana", "bo")])
def test_a_cursor_of_another_list_caller_or_filter_is_refused(other):
    with pytest.raises(Refused, match="start without a cursor"):
        Cursors("jobs", "ana", None).read(Cursors(*other).write(("abc",)), str)


@pytest.mark.parametrize("place", [("abc", "def"), ("abc", 3, 4), ("abc",), (3, "abc"), ("abc", 2**63)])
def test_a_place_of_other_parts_is_refused(place):
    cursors = Cursors("jobs")
    with pytest.raises(Refused, match="start without a cursor"):
        cursors.read(cursors.write(place), str, int)


@pytest.mark.parametrize("cursor", ["", "abc", "ä", "*" * 40, "A" * 10_000])
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(Refused, match="start without a cursor"):
        Cursors("jobs").read(cursor, str)


def test_a_cursor_with_something_between_its_letters_is_refused():
    cursor = Cursors("jobs").write(("abc",))
    for changed in (cursor[:4] + "*" + cursor[4:], cursor[:4] + "****" + cursor[4:], cursor + 4 * "\n"):
        with pytest.raises(Refused, match="start without a cursor"):
            Cursors("jobs").read(changed, str)


def test_a_cursor_has_at_most_a_thousand_characters():
    cursors = Cursors("jobs")
    longest = cursors.write(("x" * 734,))
    assert len(longest) == 1_000
    assert cursors.read(longest, str) == ("x" * 734,)
    with pytest.raises(Refused, match="start without a cursor"):
        cursors.read(cursors.write(("x" * 735,)), str)


def test_only_a_page_with_more_behind_it_has_a_next_one():
    assert Page(["a", "b"], more=True).next == "b"
    assert Page(["a", "b"]).next is None
    assert Page([], more=True).next is None
    assert Page(["a", "b"]).next_after(1) == "a"
    assert Page(["a", "b"]).next_after(2) is None
    assert Page(["a", "b"], more=True).next_after(0) is None
