"""Limits of a request's body: its bytes, the time to send it, and the number of values in its JSON.

Reading a value costs far more time and memory than the bytes in which it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import trio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

BODY_SECONDS = 30.0
"""Seconds in which a client must have sent the body; a request that is sent in part holds nothing for longer."""


async def content_of(request: Request, most: int) -> bytearray:
    """The body, of at most ``most`` bytes. Raises ``HTTPException`` 408 (too slow), 413 (too long) or 400 (cut
    short).
    """
    content = bytearray()
    try:
        with trio.fail_after(BODY_SECONDS):
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    content += chunk
                    if len(content) > most:
                        raise too_long(most)
    except trio.TooSlowError:
        raise HTTPException(408, f"the body took longer than {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    return content


def bounded(receive: Receive, most: int) -> Receive:
    """``receive``, which raises the answer 413 in the route that reads, once a body has more than ``most`` bytes."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise too_long(most)
        return message

    return receive_bounded


def too_long(most: int) -> HTTPException:
    """The answer to a body of more than ``most`` bytes."""
    return HTTPException(413, f"a body has at most {most} bytes")


def check_values(content: bytes | bytearray, most: int) -> None:
    """Raises ``HTTPException`` 413 if ``content``, which should be JSON, has more than ``most`` values.

    Values are counted by the commas and brackets before them. Those inside of texts are left out only if there are
    many: without escapes, splitting at the quotes gives pieces of which every second one is a text.
    """
    if _marks(content) <= most:
        return
    plain = bytes(content).replace(rb"\\", b"").replace(rb"\"", b"")
    if plain.count(b'"') > 4 * most or _marks(b"".join(plain.split(b'"')[::2])) > most:
        raise too_many(most)


def holds_more(data: Any, most: int) -> bool:
    """Whether decoded JSON holds more than ``most`` values."""
    number, left = 0, [data]
    while left:
        one = left.pop()
        number += 1
        if isinstance(one, Mapping):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        if number + len(left) > most:
            return True
    return False


def too_many(most: int) -> HTTPException:
    """The answer to a body, or to a job in it, with more than ``most`` values."""
    message = f"more than {most} values in one request, or in one job: put what is large into files"
    return HTTPException(413, message)


def _marks(content: bytes | bytearray) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")
