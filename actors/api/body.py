"""The bytes of a request's body: bounded in number and in time."""

from __future__ import annotations

from contextlib import aclosing
from http import HTTPStatus

import trio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

BODY_SECONDS = 30.0
"""How long a client may take over its body; a half-sent request holds nothing for longer."""


async def content_of(request: Request, most: int) -> bytearray:
    """The body, of ``most`` bytes at most. Raises ``HTTPException`` 408, 413 or 400: too slow, too long, cut short."""
    content = bytearray()
    try:
        with trio.fail_after(BODY_SECONDS):
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    content += chunk
                    if len(content) > most:
                        raise too_long(most)
    except trio.TooSlowError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"the body took longer than {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body ended early") from None
    return content


def too_long(most: int) -> HTTPException:
    """The answer to a body of more than ``most`` bytes."""
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {most} bytes here")
