"""IDs at the borders: what is accepted, how a rejection is told, and traceparent."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logconf import (
    accept_correlation_id,
    correlation_id_from_headers,
    new_correlation_id,
    trace_id_from_traceparent,
    traceparent_for,
)
from logconf.testing import capture_logs

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
MADE = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("good", ["a", "abc123", "A-Z.a_z:0/9+=", "x" * 128, "Root=1-67891233-abc;"[:-1]])
def test_a_good_id_is_kept(good: str) -> None:
    with capture_logs() as lines:
        assert accept_correlation_id(good) == good
        assert accept_correlation_id(good.encode()) == good
    assert lines == []


@pytest.mark.parametrize(
    "bad", ["", "x" * 129, "a b", "a\r\nX: y", "é", "a;b", "<script>", b"\xff", None, 7, ["a"], "a\n"]
)
def test_a_bad_id_is_replaced_and_not_echoed(bad: object) -> None:
    with capture_logs() as lines:
        made = accept_correlation_id(bad)
    assert MADE.fullmatch(made)
    (line,) = lines
    assert (line["level"], line["extra"]["replacement"]) == ("WARNING", made)
    if isinstance(bad, str) and len(bad) > 2:
        assert bad not in str(line)


@pytest.mark.parametrize("name", ["X-Correlation-ID", "x-correlation-id", "X-CORRELATION-ID"])
def test_the_header_is_found_in_any_case_and_form(name: str) -> None:
    assert correlation_id_from_headers({name: "abc"}) == "abc"
    assert correlation_id_from_headers([(b"host", b"h"), (name.encode(), b"abc")]) == "abc"


def test_traceparent_serves_where_the_header_is_absent() -> None:
    assert correlation_id_from_headers({"traceparent": PARENT}) == TRACE
    assert correlation_id_from_headers({"Traceparent": PARENT, "X-Correlation-ID": "abc"}) == "abc"
    assert MADE.fullmatch(correlation_id_from_headers({"traceparent": "nonsense"}))
    assert MADE.fullmatch(correlation_id_from_headers([]))


@pytest.mark.parametrize(
    "raw",
    [
        "",
        PARENT.upper(),
        PARENT + "-more",
        PARENT.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-00f067aa0ba902b7",
        PARENT + "x" * 10_000,
        None,
    ],
)
def test_an_invalid_traceparent_is_none(raw: object) -> None:
    assert trace_id_from_traceparent(raw) is None


def test_a_traceparent_of_a_later_version_is_read() -> None:
    assert trace_id_from_traceparent(f"01-{TRACE}-00f067aa0ba902b7-01-what-comes") == TRACE


def test_traceparent_carries_the_id_or_its_hash() -> None:
    assert trace_id_from_traceparent(traceparent_for(TRACE)) == TRACE
    expected = hashlib.sha256(b"abc123").digest()[:16].hex()
    assert trace_id_from_traceparent(traceparent_for("abc123")) == expected
    assert traceparent_for("abc123") != traceparent_for("abc123")  # each request is a span of its own
    assert trace_id_from_traceparent(traceparent_for("0" * 32)) != "0" * 32


@given(st.text())
def test_traceparent_is_valid_for_any_text(text: str) -> None:
    assert trace_id_from_traceparent(traceparent_for(text)) is not None


def test_new_ids_are_valid_and_differ() -> None:
    made = {new_correlation_id() for _ in range(100)}
    assert len(made) == 100
    assert all(accept_correlation_id(one) == one and MADE.fullmatch(one) for one in made)
