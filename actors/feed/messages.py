"""What clients may say, read strictly, and how a connection ends."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import attrs
import orjson

from actors.jobs import maxima
from actors.jobs.suggestions import did_you_mean

MOST_BYTES = 64 << 10
"""Of a client's message; the library closes with 1009 beyond it. A subscription is some hundred bytes."""
MOST_WINDOW = 10_000
_LARGEST_SEQ = 2**63 - 1


class Close(IntEnum):
    """Close codes (RFC 6455, section 7.4.1) as the feed uses them."""

    GOING_AWAY = 1001
    """The supervisor stops: come back, and resume."""
    MALFORMED = 1007
    """A message that is none; the ``error`` before it says what is wrong."""
    POLICY = 1008
    """Not signed in, or no longer."""
    SLOW = 1013
    """What was sent was not taken, or not acknowledged, in time; the reason says after which number to resume."""


class Malformed(Exception):
    """A client's message cannot be understood; the text says what is wrong with it."""


class CloseConnection(Exception):
    """Ends a connection with a close code and a reason of at most 123 bytes."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:120].decode(errors="ignore")


@attrs.frozen
class Authenticate:
    """Who it is that connects."""

    token: str = attrs.field(repr=False)


@attrs.frozen
class Subscribe:
    """What a client wants to see from now on, in place of what it wanted before."""

    after: int | None = None
    job_id: str | None = None
    types: frozenset[str] = frozenset()
    user: str | None = None
    window: int | None = None


@attrs.frozen
class Ack:
    """Everything up to ``seq`` has arrived."""

    seq: int


@attrs.frozen
class Ping:
    """A sign of life is wanted; browsers cannot send the protocol's own."""


Message = Authenticate | Subscribe | Ack | Ping
_KINDS: dict[str, tuple[type, tuple[str, ...]]] = {
    "authenticate": (Authenticate, ("token",)),
    "subscribe": (Subscribe, ("after", "job_id", "types", "user", "window")),
    "ack": (Ack, ("seq",)),
    "ping": (Ping, ()),
}


def read(text: str | bytes) -> Message:
    """One message of a client. Raises :class:`Malformed`."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed("a message must be JSON") from None
    if not isinstance(found, dict):
        raise Malformed("a message must be a JSON object")
    kind = found.pop("type", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise Malformed(f"type: must be one of {', '.join(_KINDS)}{did_you_mean(str(kind)[:40], _KINDS)}")
    made, fields = _KINDS[kind]
    for name in found:
        if name not in fields:
            raise Malformed(f"{kind}: unknown field {name[:40]!r}{did_you_mean(name[:40], fields)}")
    values = {name: _CHECKS[name](name, value) for name, value in found.items() if value is not None}
    for name in ("token", "seq"):
        if name in fields and name not in values:
            raise Malformed(f"{kind}: {name} is missing")
    message: Message = made(**values)
    return message


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= maxima.NAME:
        raise Malformed(f"{name}: must be a text of 1 to {maxima.NAME} characters")
    return value


def _number(name: str, value: Any, least: int = 0, most: int = _LARGEST_SEQ) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"{name}: must be a whole number from {least} to {most}")
    return value


def _types(name: str, value: Any) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > maxima.CHOICES:
        raise Malformed(f"{name}: must be a list of at most {maxima.CHOICES} texts")
    return frozenset(_text(name, one) for one in value)


_CHECKS: dict[str, Any] = {
    "token": _text,
    "job_id": _text,
    "user": _text,
    "types": _types,
    "after": _number,
    "seq": _number,
    "window": lambda name, value: _number(name, value, 1, MOST_WINDOW),
}
