"""JSON answers, also pages of lists, and the security headers of every answer.

With these headers browsers do not guess types, and neither run nor frame content of other servers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import orjson
from starlette.responses import Response
from starlette.types import Message, Send

from actors.documents.common import encoded
from actors.jobs import maxima
from actors.jobs.pages import Page

D = TypeVar("D")
T = TypeVar("T")


class Answer(Response, Generic[T]):
    """A JSON answer whose document is a ``T``."""


def answer(document: T, status: int = 200) -> Answer[T]:
    """``document`` as an answer."""
    return Answer(encoded(document), status_code=int(status), media_type="application/json")


def page_document(
    kind: type[D],
    name: str,
    page: Page[Any],
    document: Callable[[Any], Any],
    others: Mapping[str, Any] | None = None,
    *,
    number: bool = False,
) -> D:
    """The document of a page: its rows under ``name``, each as its ``document``, and ``next``: a cursor or ``number``.

    ``others``: further fields. The rows have at most :data:`~actors.jobs.maxima.ANSWER` bytes, but one row is always
    there if the list has one; rows that do not fit are on the next page.
    """
    rows: list[orjson.Fragment] = []
    size = 0
    for row in page:
        piece = encoded(document(row))
        size += len(piece)
        if rows and size > maxima.ANSWER:
            break
        rows.append(orjson.Fragment(piece))
    following = page.next_after(len(rows))
    place = int(following) if number and following is not None else following
    return cast("D", {**(others or {}), name: rows, "next": place})


CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src {connect}; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""The policy of our pages: only our own files, nothing inline; ``connect`` is ``'self'`` and the feed, if there is
one.
"""
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
]


def csp(host: str | None, feed_port: int | None) -> str:
    """The content security policy of a page that was requested under ``host``, which the guard has checked."""
    if feed_port is None or host is None:
        return CSP.format(connect="'self'")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return CSP.format(connect=f"'self' ws://{name}:{feed_port} wss://{name}:{feed_port}")


def with_headers(send: Send, content_policy: str) -> Send:
    """``send`` with these headers added to the answer; a header that a route set itself stays as it is."""

    ours = [*_ALWAYS, (b"content-security-policy", content_policy.encode("latin-1"))]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(header for header in ours if header[0] not in own)]
        await send(message)

    return send_with_headers
