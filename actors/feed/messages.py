"""The messages that clients may send, read by the strict converter, and how a connection ends."""

from __future__ import annotations

from enum import IntEnum

import attrs
import orjson
from attrs.validators import ge, le, optional

from actors.control.event_reader import LARGEST_SEQ
from actors.jobs import maxima, maximum
from actors.validation import CheckedError, StrictConverter

MOST_BYTES = 64 << 10
"""The most bytes of a client's message; the library closes with 1009 beyond it. A subscription has some hundred
bytes.
"""
MOST_WINDOW = 10_000


class Close(IntEnum):
    """Close codes (RFC 6455, section 7.4.1) as the feed uses them."""

    GOING_AWAY = 1001
    """The supervisor stops, or events cannot be read now: connect again, and resume."""
    MALFORMED = 1007
    """A message that cannot be read; the ``error`` before it has the reason."""
    POLICY = 1008
    """Not signed in, or no longer."""
    SLOW = 1013
    """What was sent was not taken, or not acknowledged, in time; the reason says after which number to resume."""


class Malformed(Exception):
    """A client's message cannot be understood; the text is the reason."""


class CloseConnection(Exception):
    """Ends a connection with a close code and a reason of at most 123 bytes."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:120].decode(errors="ignore")


def _is_name(_message: object, _field: attrs.Attribute[str], value: str) -> None:
    if not 0 < len(value) <= maxima.NAME:
        raise ValueError(f"must be a text of 1 to {maxima.NAME} characters")


_IS_NUMBER = [ge(0), le(LARGEST_SEQ)]


@attrs.frozen
class Authenticate:
    """Identifies the client."""

    token: str = attrs.field(repr=False, validator=_is_name)


@attrs.frozen
class Subscribe:
    """The events that a client wants from now on; replaces the subscription before."""

    after: int | None = attrs.field(default=None, validator=optional(_IS_NUMBER))
    job_id: str | None = attrs.field(default=None, validator=optional(_is_name))
    types: tuple[str, ...] = attrs.field(default=(), validator=maximum.Items(maxima.CHOICES, maximum.Text(maxima.NAME)))
    user: str | None = attrs.field(default=None, validator=optional(_is_name))
    window: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST_WINDOW)]))


@attrs.frozen
class Ack:
    """Everything up to ``seq`` has arrived."""

    seq: int = attrs.field(validator=_IS_NUMBER)


@attrs.frozen
class Ping:
    """Asks for a ``pong``; browsers cannot send the protocol's own ping."""


Message = Authenticate | Subscribe | Ack | Ping
_CONVERTER = StrictConverter()
_CONVERTER.tagged_union(Message, {"authenticate": Authenticate, "subscribe": Subscribe, "ack": Ack, "ping": Ping})


def read(text: str | bytes) -> Message:
    """One message of a client. Raises :class:`Malformed` with everything that is wrong with it."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed("a message must be JSON") from None
    if not isinstance(found, dict):
        raise Malformed("a message must be a JSON object")
    try:
        message: Message = _CONVERTER.read(found, Message)
    except CheckedError as error:
        raise Malformed("; ".join(map(str, error.faults))) from None
    return message
