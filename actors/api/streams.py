"""Answers that come in pieces, and the stream of events (B24).

Ours rather than the framework's for two reasons: the watcher for a client's leaving is stopped *before* the last piece,
or a finished stream would keep the server from stopping; and nothing is queued: each piece is written when the reader
has taken the one before, events are read from rows after a wake, and a reader that stops taking is cut off by the
server's write deadline with the ``id`` of its last event as its place to resume.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from actors.api.asking import ending_of, number, one, query_of, runtime_of, user_shown
from actors.api.documents import Document, encoded, event_document
from actors.control import RefusalKind, Refused

HEARTBEAT = 15.0
"""Seconds between two signs of life (B24)."""
_LARGEST_SEQ = 2**63 - 1
_UNNAMED = frozenset({"job_status_changed", "approval_expired"})

Write = Callable[[bytes], Awaitable[None]]


class Streamed(Response):
    """An answer whose body ``produce`` writes, piece by piece; it is cancelled when the client leaves."""

    def __init__(self, produce: Callable[[Write], Awaitable[None]], media_type: str) -> None:
        self._produce = produce
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""

        async def write(piece: bytes) -> None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        left = False

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


async def events(request: Request) -> Response:
    """Every change from now on, or after ``Last-Event-ID`` (``?after=``) without loss or doubles."""
    query = query_of(request, ("after", "job_id", "types"))
    runtime, ending = runtime_of(request), ending_of(request)
    after, user_id = _resume_at(request, query), user_shown(request, None)
    job_id = one(query, "job_id")
    await trio.lowlevel.checkpoint()
    if job_id is not None:
        job_id = (await runtime.job(job_id)).job.job_id
    types = [name for text in query.get("types", ()) for name in text.split(",") if name]

    async def produce(write: Write) -> None:
        turn = trio.Lock()

        async def tell(piece: bytes) -> None:
            async with turn:
                await write(piece)

        async def beat() -> None:
            while True:
                await trio.sleep(HEARTBEAT)
                await tell(b": heartbeat\n\n")

        async def follow() -> None:
            async for event in changes:
                name = None if event.type in _UNNAMED else event.type
                await tell(framed(event_document(event), name, event.seq))

        async with (
            runtime.events(after=after, job_id=job_id, types=types, user_id=user_id) as changes,
            trio.open_nursery() as nursery,
        ):
            await tell(framed({"type": "connected"}, "connection"))
            nursery.start_soon(beat)
            nursery.start_soon(follow)
            await ending.wait()
            nursery.cancel_scope.cancel()
        await tell(framed({"type": "goodbye", "reason": "the supervisor stops"}, "goodbye"))

    return Streamed(produce, "text/event-stream")


def framed(document: Document, name: str | None = None, seq: int | None = None) -> bytes:
    """One event of a stream; without a name it is a ``message``. JSON has no raw line break, so it is one line."""
    head = (f"id: {seq}\n" if seq is not None else "") + (f"event: {name}\n" if name is not None else "")
    return head.encode() + b"data: " + encoded(document) + b"\n\n"


def _resume_at(request: Request, query: dict[str, list[str]]) -> int | None:
    """The number after which to go on. A header wins: it is what a browser sends when it connects again."""
    header = request.headers.get("last-event-id")
    if header is not None:
        if not (header.isascii() and header.isdigit() and len(header) < 19):
            message = f"Last-Event-ID: must be the id of an event, not {header!r:.80}"
            raise Refused(message, RefusalKind.INVALID, "Last-Event-ID")
        return int(header)
    return number(query, "after", 0, _LARGEST_SEQ) if "after" in query else None


ROUTES = [Route("/api/events", events, methods=["GET"])]
