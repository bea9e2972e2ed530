"""One request and its answer on our side of Hypercorn: a body that nobody reads ends with the answer, or soon after.

Hypercorn hands a body over in a queue of ten pieces. An application that answers without reading it (a refusal) leaves
its connection waiting for room in that queue for ever: the answer's last piece, the reader and the notice of the
client's leaving all wait for one another.
"""

from __future__ import annotations

from typing import Protocol

import trio

from logconf.asgi import App, Message, Receive, Scope, Send

LINGER = 2.0
LINGER_BYTES = 4 << 20
"""How long, and up to how many bytes, the rest of a body is read and dropped, so that its client reads the answer."""


class Connection(Protocol):
    """What is called when a request begins and when it is answered."""

    def begin(self) -> None:
        """It is busy."""

    def end(self) -> None:
        """It waits for the next request."""


class Exchange:
    """Wraps ``app`` for one connection."""

    def __init__(self, app: App, connection: Connection) -> None:
        self._app = app
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._connection.begin()
        try:
            await self._serve(scope, receive, send)
        finally:
            self._connection.end()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        whole = False

        async def receive_noting() -> Message:
            nonlocal whole
            message = await receive()
            whole = whole or message["type"] == "http.disconnect" or not message.get("more_body")
            return message

        async def throw_away() -> None:
            left = LINGER_BYTES
            while not whole and left > 0:
                left -= len((await receive_noting()).get("body", b""))

        async def send_and_end(message: Message) -> None:
            if whole or message["type"] != "http.response.body" or message.get("more_body"):
                await send(message)
            else:
                await send({**message, "more_body": True})
                with trio.move_on_after(LINGER):
                    await throw_away()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_drop_all, receive)
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    nursery.cancel_scope.cancel()

        await self._app(scope, receive_noting, send_and_end)


async def _drop_all(receive: Receive) -> None:
    """Empty the queue while the connection is being closed."""
    while True:
        await receive()


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ") != b"")
        for name, value in scope["headers"]
    )
