"""Bodies that are hardly JSON, or are JSON and hardly sensible: each is a problem with its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.api.parsing import parsed
from actors.api.session import MOST_OF_SIGN_IN

DIGITS = b"9" * 5000
TAKING = [
    ("POST", "/api/jobs"), ("POST", "/api/queue/pause"), ("PUT", "/api/queue/limits/total"),
    ("POST", "/api/approvals/bulk"), ("POST", "/api/approvals/rules"), ("POST", "/api/approvals/rules/dry-run"),
    ("POST", "/api/prune"), ("POST", "/api/session"),
]  # fmt: skip
NO_JSON = {
    "nothing but a brace": b"{",
    "two values": b"{} {}",
    "a comma too many": b'{"a": 1,}',
    "a single quote": b"{'a': 1}",
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "5,000 digits": b'{"a": ' + DIGITS + b"}",
    "deep lists": b"[" * 40_000,
    "deep lists that end": b"[" * 40_000 + b"]" * 40_000,
    "deep objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "invalid UTF-8": b'{"a": "\xff\xfe"}',
    "an encoded surrogate": b'{"a": "\xed\xa0\x80"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a raw NUL": b'{"a": "\x00"}',
    "a name given twice": b'{"provider": "scripted", "provider": "local"}',
    "a name given twice below": b'[{"spec": {"a": 1, "a": 2}}]',
    "a form": b"provider=scripted&user_id=ana",
    "noise": bytes(range(256)),
}


SIGN_IN = ("POST", "/api/session")
SHORT_ENOUGH = [
    pytest.param(method, path, content, id=f"{method}-{path}-{name}")
    for method, path in TAKING
    for name, content in NO_JSON.items()
    if (method, path) != SIGN_IN or len(content) <= MOST_OF_SIGN_IN  # else it is not read: test_many_values.py
]


@pytest.mark.parametrize(("method", "path", "content"), SHORT_ENOUGH)
async def test_what_is_no_json_is_refused_everywhere(edge: Any, method: str, path: str, content: bytes) -> None:
    response = await edge.http.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith("the body is not JSON: ")
    assert len(response.content) < 1000


DEEP: dict[str, Any] = {}
for _ in range(60):
    DEEP = {"spec": DEEP}
SURROGATE, NUL = "\\ud800", "\\u0000"
WRONG = {
    "a list in a list": b"[[]]",
    "an empty list": b"[]",
    "a number": b"7",
    "null": b"null",
    "a text": b'"provider"',
    "half a surrogate pair": f'{{"config_name": "{SURROGATE}"}}'.encode(),
    "half a pair in a key": f'{{"env": {{"{SURROGATE}": "1"}}}}'.encode(),
    "half a pair in a name": f'{{"{SURROGATE}": 1}}'.encode(),
    "half a pair in plain data": f'{{"spec": {{"a": ["{SURROGATE}"]}}}}'.encode(),
    "NUL in a text": f'{{"user_id": "a{NUL}b"}}'.encode(),
    "NUL in a word of the command": f'{{"command": ["a", "{NUL}"]}}'.encode(),
    "NUL in a variable": f'{{"env": {{"A": "{NUL}"}}}}'.encode(),
    "NUL in the key": f'{{"idempotency_key": "{NUL}"}}'.encode(),
    "a number beyond 64 bits": b'{"max_attempts": 18446744073709551616}',
    "a number beyond every float": b'{"estimated_cost": 1e999}',
    "4,000 digits": b'{"max_attempts": ' + b"9" * 4000 + b"}",
    "4,000 digits in plain data": b'{"spec": {"seed": ' + b"9" * 4000 + b"}}",
    "a fraction": b'{"max_attempts": 1.5}',
    "a whole fraction": b'{"max_attempts": 1.0}',
    "a number in quotes": b'{"max_attempts": "3"}',
    "true for a number": b'{"max_attempts": true}',
    "a shell line": b'{"command": "rm -rf /"}',
    "nested too deep": json.dumps(DEEP).encode(),
    "10,000 unknown names": json.dumps({f"name{number}": 1 for number in range(10_000)}).encode(),
    "a name of a megabyte": json.dumps({"x" * 1_000_000: 1}).encode(),
    "a provider of a megabyte": json.dumps({"provider": "x" * 1_000_000}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
async def test_what_makes_no_job_is_refused_in_few_words(edge: Any, content: bytes) -> None:
    """A 4xx with the place of each fault; nothing is stored, and the answer is not as long as the question."""
    response = await edge.http.post("/api/jobs", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422, response.text[:300]
    assert len(response.content) < 20_000
    assert (await edge.http.get("/api/jobs")).json()["jobs"] == []


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("application/json", 201), ("application/json; charset=utf-8", 201), ("APPLICATION/JSON", 201), (None, 201),
        ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415), ("", 415), ("application/jsonp", 415), ("\x80\xff", 415),
    ],
)  # fmt: skip
async def test_a_body_of_another_type_is_refused(edge: Any, given: str | None, status: int) -> None:
    """A form that another site lets a browser send is one of these."""
    headers = {} if given is None else {"Content-Type": given.encode("latin-1")}
    content = b'{"provider": "scripted", "user_id": "ana"}'
    assert (await edge.http.post("/api/jobs", content=content, headers=headers)).status_code == status


@pytest.mark.parametrize(
    "query",
    ["limit=1&limit=2", "limit=1e3", "limit=%00", "limit=" + "9" * 5000, "limit=0x10", "limit=", "q=%00", "q=%ED%A0%80",
     "q=" + "x" * 201, "since=yesterday", "since=2026-01-01", "since=0001-01-01T00:00:00Z",
     "until=9999-12-31T23:59:59-23:59", "before=%00", "%00=1", "status=", "status=running,failed", "user_id=%00"],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(edge: Any, query: str) -> None:
    response = await edge.http.get(f"/api/jobs?{query}")
    # An encoded surrogate is replaced before it comes to us.
    assert response.status_code == (200 if "%ED" in query else 422), response.text[:300]


@pytest.mark.parametrize("part", ["%00", "%ff", "x" * 5000, "..%2f..%2fetc", "%E2%80%AE", "*", "%25", "_", "'; --"])
async def test_a_path_that_names_nothing_is_not_found(edge: Any, part: str) -> None:
    for path in (f"/api/jobs/{part}", f"/api/approvals/{part}", f"/api/queue/{part}"):
        assert (await edge.http.get(path)).status_code == 404


@pytest.mark.parametrize("id_", ["x", "-1", "1.0", "9" * 19, "9" * 5000, "\u00b2".encode(), ""])
async def test_an_id_that_is_no_events_is_refused(edge: Any, id_: str | bytes) -> None:
    response = await edge.http.get("/api/events", headers={"Last-Event-ID": id_})
    assert (response.status_code, response.json()["field"]) == (422, "Last-Event-ID")


@pytest.mark.parametrize("number", ["-1", "9223372036854775808", "0", "99999999999999999999"])
async def test_a_rule_of_a_number_that_no_rule_has_is_not_found(edge: Any, number: str) -> None:
    assert (await edge.http.get(f"/api/approvals/rules/{number}")).status_code == 404


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
def test_whatever_is_json_is_read_as_every_reader_reads_it(data: Any) -> None:
    assert parsed(json.dumps(data).encode()) == json.loads(json.dumps(data))
