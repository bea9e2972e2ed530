"""What clients may say is read strictly; every refusal says what is wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.feed.messages import Ack, Authenticate, Close, CloseConnection, Malformed, Ping, Subscribe, read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "authenticate", "token": "t"}', Authenticate("t")),
        ('{"type": "subscribe"}', Subscribe()),
        (
            '{"type": "subscribe", "after": 3, "job_id": "j", "types": ["a", "a"], "user": "ana", "window": 5}',
            Subscribe(3, "j", ("a", "a"), "ana", 5),
        ),
        ('{"type": "subscribe", "after": null}', Subscribe()),
        ('{"type": "ack", "seq": 0}', Ack(0)),
        ('{"type": "ping"}', Ping()),
    ],
)
def test_what_may_be_said(text: str, message: object) -> None:
    assert read(text) == message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "must be JSON"),
        (b"\xff", "must be JSON"),
        ("[1]", "must be a JSON object"),
        ('{"type": "subscrib"}', "did you mean subscribe"),
        ('{"type": 1}', "type: must be one of"),
        ('{"type": "ack"}', "^seq: is missing$"),
        ('{"type": "ack", "seq": true}', "seq: must be a whole number"),
        ('{"type": "ack", "seq": 9999999999999999999}', "seq: is a number too large"),
        ('{"type": "subscribe", "aftr": 1}', "did you mean after"),
        ('{"type": "subscribe", "after": -1}', "after: must be"),
        ('{"type": "subscribe", "window": 0}', "window: must be"),
        ('{"type": "subscribe", "types": "job_queued"}', "types: must be a list"),
        ('{"type": "authenticate", "token": ""}', "token: must be a text"),
        ('{"type": "ack", "seq": "1"}', "seq: must be a whole number"),
        ('{"seq": 1}', "type: must be one of authenticate, subscribe, ack, ping"),
        (
            '{"type": "subscribe", "after": -1, "window": 0, "x": 1}',
            "^after: must be .*; window: must be .*; x: unknown key",
        ),
    ],
)
def test_what_may_not_be_said(text: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read(text)


@given(st.one_of(st.text(), st.binary()))
def test_nothing_that_is_said_raises_anything_else(text: str | bytes) -> None:
    with contextlib.suppress(Malformed):
        read(text)


def test_a_token_is_not_in_the_text_of_its_message() -> None:
    assert "secret" not in repr(Authenticate("secret"))


def test_a_reason_fits_into_a_close_frame() -> None:
    """A control frame holds 125 bytes, two of them the code."""
    assert len(CloseConnection(Close.SLOW, "ü" * 200).reason.encode()) <= 123
