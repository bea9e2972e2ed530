"""A text is found in an output however the output comes: in any pieces, in lines of any length, in any bytes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.control import log_search
from actors.control.log_search import AROUND, FoundLine, OutputSearch

LETTERS = st.text(alphabet="abAB\n\rİé€", max_size=60)


def search(text: str, pieces: Iterable[bytes]) -> tuple[list[FoundLine], int]:
    looking = OutputSearch(text)
    found = [one for piece in pieces for one in looking.feed(piece)]
    found += looking.feed(b"", final=True)
    return found, looking.lines


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(edges)]


@given(LETTERS, st.text(alphabet="abAB", min_size=1, max_size=3), st.lists(st.integers(0, 400), max_size=8))
def test_the_lines_are_those_of_the_whole_however_it_is_cut(output: str, text: str, places: list[int]) -> None:
    data = output.encode()
    found, number = search(text, cut(data, places))
    lines = output.split("\n")
    assert [one.line for one in found] == [at for at, line in enumerate(lines, 1) if text.lower() in line.lower()]
    assert all(text.lower() in one.text.lower() for one in found)
    assert number == len(lines) - (lines[-1] == "")


@given(LETTERS, st.text(alphabet="abAB", min_size=1, max_size=3), st.lists(st.integers(0, 400), max_size=8))
def test_a_line_that_is_longer_than_is_kept_is_found_once(output: str, text: str, places: list[int]) -> None:
    """The same with a bound that most lines exceed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "LONGEST", 4)
        found, _ = search(text, cut(output.encode(), places))
    expected = [at for at, line in enumerate(output.split("\n"), 1) if text.lower() in line.lower()]
    assert [one.line for one in found] == expected


def test_of_a_long_line_the_surroundings_are_given() -> None:
    line = "x" * 1_000_000 + "the Needle" + "y" * 1_000_000
    data = f"one\n{line}\r\nneedle\r\n".encode()
    found, number = search("NEEDLE", [data[at : at + 65_536] for at in range(0, len(data), 65_536)])
    assert [one.line for one in found] == [2, 3]
    assert "the Needle" in found[0].text
    assert len(found[0].text) <= 2 * AROUND + len("needle")
    assert found[1].text == "needle"
    assert number == 3


@given(st.lists(st.binary(max_size=200), max_size=20), st.text(min_size=1, max_size=5))
def test_what_is_kept_has_a_bound_whatever_comes(pieces: list[bytes], text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "LONGEST", 64)
        looking = OutputSearch(text)
        for piece in pieces:
            looking.feed(piece)
            assert len(looking._rest) <= 64 + 200


def test_special_characters_are_themselves() -> None:
    assert [one.line for one in search("a.*[", [b"abc[\na.*[\n\xff A.*[\xff"])[0]] == [2, 3]
