"""The input and output of the fake, whoever carries it: a request, an answer, and how the answer is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import orjson

from actors.testing.fake_replicate.faults import FaultKind

PIECE = 64 * 1024
"""Bytes that are sent or received at once."""


@attrs.frozen
class Asked:
    """A request. ``target`` is the path with its query; ``headers`` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    scheme: str = "http"

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The names of the query, each with its first value."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def origin(self) -> str:
        """The origin that the client believes it is talking to; addresses in answers start with it."""
        return f"{self.scheme}://{self.headers.get('host', 'api.replicate.com')}"


@attrs.frozen
class Reply:
    """An answer. ``fault``: what goes wrong while it is sent. ``seconds``: the pause between the bytes of a body that
    drips.

    ``size``: the bytes of a huge body, which is sent instead of ``body``.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    fault: FaultKind | None = None
    seconds: float = 0.0
    size: int = 0

    @property
    def length(self) -> int:
        """The announced Content-Length."""
        return self.size if self.fault is FaultKind.HUGE_BODY else len(self.body)

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces of the body as they are sent. After a body that is cut, the connection closes."""
        match self.fault:
            case FaultKind.CUT_BODY:
                yield self.body[: len(self.body) // 2]
            case FaultKind.DRIP:
                yield from (bytes([byte]) for byte in self.body)
            case FaultKind.HUGE_BODY:  # one JSON string, in pieces that share their memory
                whole, rest = divmod(self.size - 2, PIECE)
                yield from (b'"', *[b"x" * PIECE] * whole, b"x" * rest, b'"')
            case _:
                yield self.body


@attrs.frozen
class Recorded(Asked):
    """A received request, and its answer. ``fault``: what hit it."""

    at: datetime = attrs.field(kw_only=True)
    status: int = attrs.field(kw_only=True)
    fault: FaultKind | None = attrs.field(kw_only=True)

    @property
    def correlation_id(self) -> str | None:
        """Its ``X-Correlation-ID``."""
        return self.headers.get("x-correlation-id")


def json_reply(status: int, body: Any) -> Reply:
    """Return an answer with ``body`` as JSON."""
    return Reply(status, orjson.dumps(body), {"content-type": "application/json"})


def problem(status: int, detail: str, title: str | None = None, **more: Any) -> Reply:
    """Return a refusal as ``application/problem+json``."""
    body = {"detail": detail, "status": status, **({"title": title} if title else {}), **more}
    return Reply(status, orjson.dumps(body), {"content-type": "application/problem+json"})


class Refusal(Exception):
    """Raised for a request that is answered with ``reply``."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


def refuse(status: int, detail: str, title: str | None = None) -> Refusal:
    """Return a :class:`Refusal` with a problem in it."""
    return Refusal(problem(status, detail, title))
