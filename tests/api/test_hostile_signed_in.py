"""What somebody with a good token may send instead of an id, a parameter or a body: never loud, never our fault.

Generated from the routes: each with every awkward value in its path, in each of its parameters and as its body.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import quote, unquote

import attrs
import pytest

from actors.api.app import ROUTES, create_app
from actors.api.options import HttpOptions
from actors.api.route import DeclaredRoute
from actors.runtime import RunningRuntime
from tests.access.test_routes import ask
from tests.api.servers import bearer

VALUES = [
    b"", b"\0", b"\xff", b"-1", b"9" * 40, b"1e400", b"NaN", b"\xed\xa0\x80", b"a" * 2000, b"'", b"%", b"_", b"[]",
    b"null", b"true", b"2020-99-99", b"0001-01-01T00:00:00Z", b"../..", "\U0001f600".encode(), b"\r\nX: y",
    b"{}", b"*", b"a,b,,",
]  # fmt: skip
BODIES = [
    b"", b"null", b"[]", b"{}", b'""', b"1e400", b"-0", b"{" * 3000, b"[" * 3000, b"\xff", b'"\\ud800"', b'{"": null}',
    b'{"user_id": "\\ud800"}', b'{"user_id": "\\u0000"}', b'{"value": 99999999999999999999}', b'{"value": NaN}',
    b'{"params": {"a": 1e308}}', b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}", b'{"provider": "\\u0000"}',
]  # fmt: skip
DECLARED = [route for route in ROUTES if isinstance(route, DeclaredRoute)]


def paths(route: DeclaredRoute) -> Iterator[str]:
    """The route's path with each value in the place of its parameter."""
    name = next(iter(route.param_convertors), None)
    if name is None:
        yield route.path
        return
    for value in VALUES:
        yield "/".join(quote(value, safe="") if part.startswith("{") else part for part in route.path.split("/"))


def queries(route: DeclaredRoute) -> Iterator[str]:
    for field in attrs.fields(route.query):
        for value in VALUES:
            yield f"{field.name}={quote(value, safe='')}"


@pytest.mark.parametrize("route", DECLARED, ids=lambda route: f"{max(route.methods or [''])} {route.path}")
async def test_nothing_that_a_client_sends_is_loud(
    route: DeclaredRoute, runtime: RunningRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """Every answer is below 500, and no line is above INFO or has a traceback; so for an admin, who may ask most."""
    who = await bearer(runtime, "admin")
    app = create_app(runtime, HttpOptions(requests_per_minute=100_000))
    method = min((route.methods or {"GET"}) - {"HEAD"})
    asked: list[tuple[str, bytes | None]] = [(path, None) for path in paths(route)]
    plain = "/".join("1" if part.startswith("{") else part for part in route.path.split("/"))
    asked += [(f"{plain}?{query}", None) for query in queries(route)]
    if method in ("POST", "PUT"):
        asked += [(plain, body) for body in BODIES]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        for url, body in asked:
            path, mark, query = url.partition("?")
            headers = {**who, "Content-Type": "application/json"}
            if body is not None:
                headers["Content-Length"] = str(len(body))
            answer = await ask(app, method, unquote(path) + mark + query, headers, body or b"")
            assert answer.status < 500, (url, body)
    told = [one for one in caplog.records if one.name != "actors.ledger"]  # that the queue is paused is a WARNING
    loud = [(one.levelname, one.getMessage()) for one in told if one.levelno > logging.INFO or one.exc_info]
    assert loud == []
