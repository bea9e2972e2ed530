"""Patterns of names mean what a shell means by them, and no pattern takes long."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs import globs
from actors.jobs.refusal import Refused

NAMES = st.text("ab-]!^", max_size=6)
PATTERNS = st.lists(
    st.sampled_from(["a", "b", "-", "*", "?", "[ab]", "[!a]", "[!]a]", "[]]", "]", "!", "^"]), max_size=5
)


def fits(name: str, pattern: str) -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        return bool(connection.execute("SELECT ? GLOB ?", (name, globs.checked(pattern))).fetchone()[0])


@given(NAMES, PATTERNS.map("".join))
def test_the_database_takes_a_pattern_as_a_shell_does(name: str, pattern: str) -> None:
    assert fits(name, pattern) == fnmatchcase(name, pattern)


@given(NAMES, PATTERNS.map("".join))
def test_every_name_that_fits_begins_with_the_literal_start(name: str, pattern: str) -> None:
    start = globs.literal_start(pattern)
    assert not fits(name, pattern) or name.startswith(start)
    assert globs.is_literal(pattern) == (start == pattern)


@pytest.mark.parametrize("pattern", ["[", "train-[ab", "a[]", "[!]"])
def test_an_open_bracket_is_refused_with_what_to_write(pattern: str) -> None:
    with pytest.raises(
        Refused, match=r"the bracket \[ is not closed; for the character itself write \[\[\]"
    ) as refused:
        globs.checked(pattern, "name")
    assert refused.value.field == "name"


@pytest.mark.parametrize("pattern", ["a\nb", "a\0", "\ud800*"])
def test_a_pattern_has_no_control_characters(pattern: str) -> None:
    """No name holds such a mark, and SQLite would end the pattern at a NUL character."""
    with pytest.raises(Refused, match="must be text without control characters") as refused:
        globs.checked(pattern)
    assert refused.value.field == "name"


@pytest.mark.parametrize("pattern", ["prod-[^a]", "prod-[!a]"])
def test_a_set_is_negated_in_both_spellings_where_names_are_not_asked_of_the_database(pattern: str) -> None:
    assert globs.fits("prod-b", pattern)
    assert not globs.fits("prod-a", pattern)


@pytest.mark.parametrize(
    ("name", "pattern"), [("a^b", "a[b^]b"), ("a[b", "a[b"), ("a[^b", "a[^b"), ("a]b", "a[]^]b"), ("a^b", "a[[^]b")]
)
def test_other_brackets_mean_what_they_say(name: str, pattern: str) -> None:
    assert globs.fits(name, pattern)


@pytest.mark.parametrize(
    "pattern", ["*a" * 100, "*" * 200, "*?a" * 60 + "b", "*[ab]" * 40 + "[!ab]", "a*" * 99 + "b*c"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Names of the greatest length cost some ten microseconds each; with back-tracking one would take years."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE names (name TEXT)")
        connection.executemany(
            "INSERT INTO names VALUES (?)", [("a" * 190 + f"{number:010}",) for number in range(20_000)]
        )
        begun = time.process_time()
        connection.execute("SELECT count(*) FROM names WHERE name GLOB ?", (globs.checked(pattern),)).fetchone()
        assert time.process_time() - begun < 5
