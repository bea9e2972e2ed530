"""Deliveries: the vectors, every row of the table of traps, and the reference library beside ours on random input."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from actors.jobs.records import Phase
from actors.providers.deliveries import DeliveryEvent, DeliveryHint, Rejected
from actors.providers.replicate.deliveries import MOST_SIGNATURES, read_delivery

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTORS = orjson.loads((Path(__file__).parent / "vectors.json").read_bytes())
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = b'{"id":"abc","status":"succeeded"}'


def signature(body: bytes = BODY, *, delivery: str = "msg_1", at: datetime = NOW, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{delivery}.{int(at.timestamp())}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(signatures: str | None = None, *, delivery: str = "msg_1", at: datetime = NOW) -> dict[str, str]:
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,{signature(delivery=delivery, at=at)}" if signatures is None else signatures,
    }


def parsed(given: dict[str, str], body: bytes = BODY, secrets: Any = (SECRET,), now: datetime = NOW) -> Any:
    reading = read_delivery(given, secrets, now, None)
    if isinstance(reading, Rejected):
        return reading
    reading.add(body)
    return reading.done(body, len(body))


def test_a_delivery_is_read() -> None:
    event = parsed(headers())
    assert isinstance(event, DeliveryEvent)
    assert (event.delivery_id, event.remote_id) == ("msg_1", "abc")
    assert event.observation is not None
    assert event.observation.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['id']} {vector['secret'][6:10]}")
def test_the_vectors_are_signed_rightly(vector: dict[str, Any]) -> None:
    """Those of the specification and of Replicate's own suite. What has no job in it is rejected for that alone."""
    given = {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }
    at = datetime.fromtimestamp(vector["timestamp"], UTC)
    event = parsed(given, vector["body"].encode(), [vector["secret"]], at)
    if "status" in vector["body"]:
        assert isinstance(event, DeliveryEvent)
    else:
        assert isinstance(event, (Rejected, DeliveryHint))
        assert "cannot be read" in event.reason
    wrong = parsed(given, vector["body"].encode() + b" ", [vector["secret"]], at)
    assert isinstance(wrong, Rejected)
    assert wrong.reason == "the signature is not by a secret of ours"


@pytest.mark.parametrize(
    ("seconds", "good"), [(301, False), (-301, False), (299, True), (-299, True), (300, True), (-300, True)]
)
def test_a_delivery_is_good_for_five_minutes_both_ways(seconds: int, good: bool) -> None:
    at = NOW + timedelta(seconds=seconds)
    assert isinstance(parsed(headers(at=at)), DeliveryEvent) is good


@pytest.mark.parametrize(
    ("signatures", "good"),
    [
        (f"v1,{signature()}", True),
        (f"v1,{signature()} v1,AAAA", True),
        (f"v1,AAAA v1,{signature()}", True),
        (f"v1a,AAAA v1,{signature()}", True),
        (f"v1,{signature().rstrip('=')}", True),
        (f"nonsense v1,{signature()}", True),
        (f"v1,!!! v1,{signature()}", True),
        (f"v2,{signature()}", False),
        (f"v1a,{signature()}", False),
        (f"V1,{signature()}", False),
        (signature(), False),
        (f",{signature()}", False),
        ("v1,", False),
        ("v1", False),
        ("", False),
        ("v1,ü", False),
        (f"v1,{signature(b'another body')}", False),
        (f"v1,{signature()[:-6]}AAAAA=", False),
        (" ".join(["v1,AAAA"] * (MOST_SIGNATURES - 1)) + f" v1,{signature()}", True),
        (" ".join(["v1,AAAA"] * MOST_SIGNATURES) + f" v1,{signature()}", False),
    ],
)
def test_one_good_signature_of_version_1_is_needed(signatures: str, good: bool) -> None:
    """Several may be there while a secret is changed, so many and no more; an element that is none spoils no other."""
    assert isinstance(parsed(headers(signatures)), DeliveryEvent) is good


@pytest.mark.parametrize(
    ("secrets", "good"),
    [
        ([SECRET], True),
        ([SECRET.removeprefix("whsec_")], True),
        ([SECRET.rstrip("w") + "w"], True),
        ([f" {SECRET}\n"], True),
        (["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SECRET], True),
        (["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"], False),
        ([], False),
        (["whsec_"], False),
        ([""], False),
        (["whsec_not base 64 at all"], False),
    ],
)
def test_any_secret_of_ours_will_do_and_one_that_is_none_does_not(secrets: list[str], good: bool) -> None:
    assert isinstance(parsed(headers(), secrets=secrets), DeliveryEvent) is good


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_each_header_is_needed(name: str, value: str | None) -> None:
    given = {key: text for key, text in headers().items() if key != name}
    assert isinstance(parsed(given if value is None else {**given, name: value}), Rejected)


@pytest.mark.parametrize("text", ["1.5", "-5", "+5", "١٢٣", "1e9", " 1", "9" * 400, "now"])
def test_a_timestamp_is_whole_seconds(text: str) -> None:
    assert isinstance(parsed({**headers(), "webhook-timestamp": text}), Rejected)


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b"{}", b'{"id":7,"status":"failed"}', b'{"id":"a/b","status":"failed"}', b'{"status":"x"}']
)
def test_a_signed_body_that_names_no_job_is_rejected(body: bytes) -> None:
    """No object, no id: it is about something else, and never an error."""
    rejected = parsed(headers(f"v1,{signature(body)}"), body)
    assert isinstance(rejected, Rejected)


@pytest.mark.parametrize("body", [b'{"id":"abc"}', b'{"id":"abc","status":7}', b'{"id":"abc","status":null}'])
def test_a_signed_body_that_names_a_job_alone_claims_nothing(body: bytes) -> None:
    """The job itself is asked."""
    assert parsed(headers(f"v1,{signature(body)}"), body) == DeliveryEvent("msg_1", "abc")


DEEP = b"[" * 5000 + b"]" * 5000


@pytest.mark.parametrize(
    ("body", "job"),
    [
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"id":', None),
        (b'{"id":"abc","status":"succ', "abc"),
        (b'{"output": ["a", {"id": "other"}], "id": "abc", "logs": "cut he', "abc"),
        (b'{"id":"abc","status":"succeeded","output":' + DEEP + b"}", "abc"),
        (b'{"id":"abc","id":"def","status":"succeeded"}', None),
        (b'{"id":"abc","status":"failed","status":"succeeded"}', "abc"),
        (b'{"id":"a/b","status":"succ', None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_signed_body_that_cannot_be_read_is_a_hint(body: bytes, job: str | None) -> None:
    """Cut, nested without end, ambiguous: its job is to be looked at, where it can be found, and nothing is guessed."""
    hint = parsed(headers(f"v1,{signature(body)}"), body)
    assert isinstance(hint, DeliveryHint)
    assert (hint.delivery_id, hint.remote_id) == ("msg_1", job)


@pytest.mark.parametrize(
    "logs", [b"\xff\xfe\x00", rb"\ud83d", rb"\udc00 alone", b"\xed\xa0\x80"], ids=lambda value: str(value)
)
def test_what_a_job_printed_does_not_hide_its_end(logs: bytes) -> None:
    """Bytes that are not UTF-8, halves of surrogate pairs: the rest of the body is read."""
    body = b'{"id":"abc","status":"succeeded","logs":"' + logs.replace(b"\x00", b"") + b'"}'
    event = parsed(headers(f"v1,{signature(body)}"), body)
    assert isinstance(event, DeliveryEvent)
    assert event.observation is not None
    assert event.observation.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("size", [1, 100, 1000, 40_000])
def test_the_pieces_in_which_a_body_comes_make_no_difference(size: int) -> None:
    """It is signed as a whole; what is not kept is signed, too."""
    body = b'{"id":"abc","status":"succeeded","logs":"' + b"x" * 50_000 + b'"}'
    given_headers = headers(f"v1,{signature(body)}")
    for sent, good in ((body, True), (body[:-1] + b" ", False)):
        for kept, kind in ((body, DeliveryEvent), (body[:1000], DeliveryHint)):
            reading = read_delivery(given_headers, [SECRET], NOW, None)
            assert not isinstance(reading, Rejected)
            for start in range(0, len(sent), size):
                reading.add(sent[start : start + size])
            assert isinstance(reading.done(kept, len(sent)), kind if good else Rejected)


def test_an_id_is_bounded() -> None:
    """It is kept against repetition."""
    for delivery, good in (("m" * 255, True), ("m" * 256, False), ("msg\n1", False)):
        assert isinstance(parsed(headers(delivery=delivery)), DeliveryEvent) is good


keys = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(secret=keys, delivery=ids, status=st.text(max_size=20), seconds=st.integers(-299, 299))
def test_what_the_reference_library_signs_is_believed(secret: str, delivery: str, status: str, seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    body = orjson.dumps({"id": "abc", "status": status}).decode()
    given_headers = headers(Webhook(secret).sign(delivery, at, body), delivery=delivery, at=at)
    assert isinstance(parsed(given_headers, body.encode(), [secret]), DeliveryEvent)


@given(data=st.data(), place=st.integers(0, 10_000))
def test_one_changed_byte_anywhere_is_not_believed(data: st.DataObject, place: int) -> None:
    """In the body, the id or the timestamp."""
    what = data.draw(st.sampled_from(["body", "webhook-id", "webhook-timestamp"]))
    given_headers, body = headers(), BODY
    text = bytearray(body if what == "body" else given_headers[what].encode())
    place %= len(text)
    text[place] = text[place] - 1 if text[place] > 48 else text[place] + 1
    if what == "body":
        body = bytes(text)
    else:
        given_headers[what] = text.decode()
    assert isinstance(parsed(given_headers, body), Rejected)


@given(
    given_headers=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=60)
    ),
    body=st.binary(max_size=60),
    secrets=st.lists(st.text(max_size=30), max_size=3),
)
def test_nothing_raises(given_headers: dict[str, str], body: bytes, secrets: list[str]) -> None:
    """Whatever comes: the world sends it."""
    assert isinstance(parsed(given_headers, body, secrets), Rejected)
