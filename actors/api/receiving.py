"""The bytes of a request's body: bounded in number and in time."""

from __future__ import annotations

from contextlib import aclosing
from http import HTTPStatus

import trio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MAX_BODY = 8 << 20
"""Bytes of a body: some 10,000 jobs in one request."""
BODY_SECONDS = 30.0
"""How long a client may take over its body; a half-sent request holds nothing for longer."""


async def content_of(request: Request) -> bytearray:
    """The body. Raises ``HTTPException`` 408, 413 or 400 where it is too slow, too long or ends early."""
    content = bytearray()
    try:
        with trio.fail_after(BODY_SECONDS):
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    content += chunk
                    if len(content) > MAX_BODY:
                        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY} bytes")
    except trio.TooSlowError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"the body took longer than {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body ended early") from None
    return content
