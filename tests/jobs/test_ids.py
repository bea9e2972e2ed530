"""Identifiers: ULIDs in lower case, which sort by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.jobs.ids import IdFactory, attempt_of, earliest, is_id, milliseconds_of, submission_key, time_of

NOW = datetime(2016, 7, 30, 23, 54, 10, 259_000, tzinfo=UTC)


def test_the_time_comes_first_as_the_specification_of_ulids_has_it():
    assert IdFactory(lambda bits: 0).new(NOW) == "01arz3ndek" + 16 * "0"  # the example of the specification
    assert IdFactory(lambda bits: 2**bits - 1).new(NOW) == "01arz3ndek" + 16 * "z"
    assert earliest(NOW) == "01arz3ndek" + 16 * "0"


def test_identifiers_of_one_moment_or_of_a_clock_that_steps_back_increase_by_one():
    factory = IdFactory(lambda bits: 7)
    first, second, third = factory.new(NOW), factory.new(NOW), factory.new(NOW - timedelta(hours=1))
    assert [one[-1] for one in (first, second, third)] == ["7", "8", "9"]
    assert first < second < third < factory.new(NOW + timedelta(milliseconds=1))


def test_the_time_of_an_identifier_can_be_read_also_where_more_follows():
    found = IdFactory().new(NOW)
    assert time_of(found) == time_of(found + "-1") == NOW
    assert milliseconds_of(found) == int(NOW.timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "01arz3ndek", "01arz3ndeu" + 16 * "0", 25 * "0", "8" + 25 * "0"])
def test_what_is_no_identifier_has_no_time(text):
    assert milliseconds_of(text) is None
    assert time_of(text) is None


def test_the_largest_time_is_beyond_every_calendar():
    assert milliseconds_of("7" + 25 * "z") == 2**48 - 1
    assert time_of("7" + 25 * "z") is None


def test_an_identifier_has_its_length_and_its_letters():
    found = IdFactory().new(NOW)
    assert is_id(found)
    assert not is_id(found[:-1])
    assert not is_id(found + "0")
    assert not is_id(found[:-1] + "u")


def test_the_key_of_a_submission_says_which_attempt_it_is():
    assert submission_key("abc", 0) == "abc-1"
    assert attempt_of(submission_key("a-b", 4)) == 5
