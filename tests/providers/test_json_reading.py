"""JSON of others: read as far as it can be, and never further than anybody of ours can go."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.providers.json_reading import DEEPEST, is_shallow, read_json, repeats_a_key


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud800"}', {"a": "\ufffd"}),
        (b'{"\\udfff": [1, "\\ud800x"]}', {"\ufffd": [1, "\ufffdx"]}),
        (b'["\\ud83d\\ude00 \\ud83d"]', ["\U0001f600 \ufffd"]),
        (b'"\xff"', "\ufffd"),
        (b"[NaN, Infinity, -Infinity, 1e999, 1]", [None, None, None, None, 1]),
        (b"[NaN, 36893488147419103232, -36893488147419103232]", [None, 2.0**65, -(2.0**65)]),
        (b"[NaN, " + b"9" * 5000 + b"]", [None, None]),
    ],
)
def test_what_can_be_read_is_read(body: bytes, read: Any) -> None:
    """And can be written down again."""
    assert read_json(body) == read
    orjson.dumps(read_json(body))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>", b'{"a": 1} x', b"[" * 100_000, b'["\\ud800",' + b"[" * 900 + b"]" * 901]
)
def test_what_cannot_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = read_json(body)
    except ValueError:
        return
    orjson.dumps(found)


@pytest.mark.parametrize(
    ("body", "repeats"),
    [
        (b'{"a": 1, "b": {"a": 2}}', False),
        (b'{"a": 1, "a": 1}', True),
        (b'[{"b": [{"a": 1, "\\u0061": 2}]}]', True),
        (b"[" * 100_000, False),
        (b"nonsense", False),
    ],
)
def test_a_key_that_is_there_twice_is_found(body: bytes, repeats: bool) -> None:
    assert repeats_a_key(body) is repeats


def nested(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = {"a": [found]} if levels % 2 else [found]
    return found


def test_depth_is_bounded() -> None:
    assert is_shallow(nested(DEEPEST))
    assert not is_shallow(nested(DEEPEST + 1))
    assert not is_shallow(nested(100_000))
