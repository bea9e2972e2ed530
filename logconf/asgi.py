"""The correlation ID of an ASGI request: read from its headers, bound while it is served, and returned with the answer.

Depends on no framework: put it around any ASGI application as the outermost layer, so that error answers have the ID
too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from logconf.context import bind_correlation_id
from logconf.correlation import CORRELATION_HEADER, correlation_id_from_headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADER = CORRELATION_HEADER.lower().encode("ascii")
_ANSWERS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class CorrelationMiddleware:
    """Binds the correlation ID of each HTTP request and WebSocket, and returns it as `X-Correlation-ID`.

    The ID is that of `X-Correlation-ID`, else the trace id of `traceparent`, else a new one. If an application raises
    before it has answered an HTTP request, the answer is status 500 with the ID, and the exception is passed on to the
    server.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        correlation_id = correlation_id_from_headers(scope["headers"])
        answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] in _ANSWERS:
                answered = True
                message = {**message, "headers": _with_id(message.get("headers") or (), correlation_id)}
            await send(message)

        with bind_correlation_id(correlation_id):
            failure: Exception | None = None
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:  # noqa: BLE001 - border: the client gets the ID to ask with, the server the error
                failure = error
            if failure is not None:
                if scope["type"] == "http" and not answered:
                    with contextlib.suppress(Exception):  # the client may have left
                        await _answer_500(send_with_id)
                raise failure


def _with_id(headers: Iterable[tuple[bytes, bytes]], correlation_id: str) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers if name.lower() != _HEADER]
    return [*kept, (_HEADER, correlation_id.encode("ascii"))]


async def _answer_500(send: Send) -> None:
    body = b"Internal Server Error"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
