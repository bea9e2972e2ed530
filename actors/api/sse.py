"""Answers that are sent in pieces, and server-sent events.

This is our own code rather than the framework's for two reasons. First, the task that notices that a client has left is
stopped *before* the last piece; otherwise a finished stream would keep the server from stopping. Second, nothing is
queued: each piece is written when the reader has taken the one before, and a reader that stops reading is disconnected
by the server's write deadline. The ``id`` of its last event says where it can resume.

The first piece and the last one are sent like every answer. Those between are written to the connection as the chunks
that Hypercorn would make of them (RFC 9112, 7.1), because through Starlette and Hypercorn a piece costs ten times a
bare write, and an event goes to a hundred readers. Nothing else writes to a connection while an answer is being sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from actors.documents.common import encoded

HEARTBEAT = 15.0
"""Seconds between two heartbeats."""

EVENT_STREAM = "text/event-stream"
LAST_EVENT_ID = {"Last-Event-ID": "Go on after the event of this id; a browser that connects again sends it."}

Write = Callable[[bytes], Awaitable[None]]


class Streamed(Response):
    """An answer whose body ``produce`` writes piece by piece; it is cancelled when the client leaves."""

    def __init__(self, produce: Callable[[Write], Awaitable[None]], media_type: str) -> None:
        self._produce = produce
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""

        left = has_begun = False
        connection = _connection_of(scope)

        async def write(piece: bytes) -> None:
            nonlocal has_begun, left
            if connection is None or not has_begun:
                has_begun = True
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            elif piece:  # an empty chunk would be the last
                try:
                    await connection.send_all(b"%x\r\n%b\r\n" % (len(piece), piece))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    left = True
                    nursery.cancel_scope.cancel()
                    await trio.lowlevel.checkpoint()

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def watch() -> None:
            nonlocal left
            while (await receive())["type"] != "http.disconnect":
                pass
            left = True
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await self._produce(write)
            nursery.cancel_scope.cancel()
        if not left:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _connection_of(scope: Scope) -> trio.abc.SendStream | None:
    """The connection to which chunks may be written; None if the answer is not sent in chunks, or not by our server."""
    found = scope.get("state", {}).get("carrier")
    return found if scope.get("http_version") == "1.1" and isinstance(found, trio.abc.SendStream) else None


class EventStream:
    """A stream of events with its heartbeat, ended by a goodbye when ``ending`` is set."""

    def __init__(self, ending: trio.Event, produce: Callable[[EventStream], Awaitable[None]]) -> None:
        self._ending = ending
        self._produce = produce
        self._turn = trio.Lock()
        self._write: Write | None = None

    async def run(self, write: Write) -> None:
        """Produce events until ``produce`` ends, or the server stops."""
        self._write = write
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._beat)
            nursery.start_soon(self._until_ending, nursery.cancel_scope)
            await self._produce(self)
            nursery.cancel_scope.cancel()
        if self._ending.is_set():
            await self.send({"type": "goodbye", "reason": "the supervisor stops"}, "goodbye")

    async def send(self, document: Mapping[str, Any], name: str | None = None, id_: int | str | None = None) -> None:
        """Send one event once the reader has taken what came before."""
        await self.send_piece(framed(document, name, id_))

    async def send_piece(self, piece: bytes) -> None:
        """Send what :func:`framed` gave, once the reader has taken what came before."""
        assert self._write is not None
        try:
            self._turn.acquire_nowait()  # without a checkpoint, as nearly always
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            await self._write(piece)
        finally:
            self._turn.release()

    async def _beat(self) -> None:
        while True:
            await trio.sleep(HEARTBEAT)
            await self.send_piece(b": heartbeat\n\n")

    async def _until_ending(self, scope: trio.CancelScope) -> None:
        await self._ending.wait()
        scope.cancel()


def framed(document: Mapping[str, Any], name: str | None = None, id_: int | str | None = None) -> bytes:
    """The bytes of one event; without a name it is a ``message``. JSON has no raw line break, so it is one line."""
    head = (f"id: {id_}\n" if id_ is not None else "") + (f"event: {name}\n" if name is not None else "")
    return head.encode() + b"data: " + encoded(document) + b"\n\n"
