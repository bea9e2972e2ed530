"""How many values a body may hold (D2): reading one costs far more time and memory than the bytes it is written in."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException


def check_values(content: bytes | bytearray, most: int) -> None:
    """Raises ``HTTPException`` 413 where ``content``, which is to be JSON, holds more than ``most`` values.

    Values are told by the commas and brackets before them. Those inside texts are looked for only where there are many:
    what is left without escapes are pieces of which every second one is a text.
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
    """The answer to a body, or a job in it, of more than ``most`` values."""
    message = f"more than {most} values in one request, or in one job: put what is large into files"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def _marks(content: bytes | bytearray) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")
