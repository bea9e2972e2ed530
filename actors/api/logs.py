"""Routes for a job's output: as it was written, page by page, or as events while it is being written."""

from __future__ import annotations

import codecs
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import attrs
from starlette.responses import Response

from actors.access.permission import OWN_JOB_STREAM
from actors.api.log_queries import LogSearchQuery, LogsQuery, LogStreamQuery
from actors.api.route import Call, Nothing, route
from actors.api.sse import EVENT_STREAM, LAST_EVENT_ID, EventStream, Streamed, Write
from actors.control.log_beginning import Beginning, first_lines
from actors.control.log_follower import Piece
from actors.control.log_search import FoundLine, OutputSearch
from actors.jobs import maxima
from actors.jobs.refusal import Refused, invalid
from actors.providers.log_notices import LogNotice, notice

_DIGITS = 19
_SEARCHED = 16 << 20
"""Bytes that are searched between two reports of progress to the reader."""
BYTES = "application/octet-stream"
NEXT_CURSOR = "X-Next-Cursor"
UNREADABLE = "the output cannot be read any further"


async def logs(call: Call[Nothing, LogsQuery]) -> Response:
    """Send a job's output as it was written, from ``cursor``, from its last lines, or from a time on.

    With ``limit`` this is one page, whose header ``X-Next-Cursor`` has the ``cursor`` of the next page, quoted for use
    in a query; an empty page means that there is nothing more yet. With ``follow`` it continues until the job ends; if
    the output cannot be read any further before that, the last line says so.
    """
    asked, job_id = call.query, (await call.reading.jobs.get(call.path("job_id"))).job.job_id
    await _check(call, job_id, asked.cursor, asked.attempt)
    begin = await _beginning(call, job_id)
    if asked.follow and not begin.nothing:
        runtime = call.runtime

        async def follow(write: Write) -> None:
            try:
                if begin.head:
                    await write(begin.head)
                async with runtime.log_reader.follow(job_id, begin.cursor, attempt=asked.attempt) as pieces:
                    async for data, _cursor in pieces:
                        await write(data)
            except Refused as refusal:  # the answer has begun: a connection cut off would look like an accident
                await write(notice(f"{UNREADABLE}: {refusal}"))

        return Streamed(follow, BYTES)
    if begin.nothing:
        return Response(b"", media_type=BYTES)
    if asked.limit is not None:
        return await _page(call, job_id, begin, asked.limit)
    source = call.reading.log_reader.read(job_id, begin.cursor, attempt=asked.attempt)
    first = await anext(source, None)  # whatever refuses refuses before the answer begins

    async def pieces() -> AsyncGenerator[Piece, None]:
        if first is not None:
            yield first
        async for piece in source:
            yield piece

    async def whole(write: Write) -> None:
        async with (
            aclosing(source),  # type: ignore[type-var]
            aclosing(pieces()) as found,
            aclosing(first_lines(begin.head, found, asked.tail)) as chunks,
        ):
            async for data in chunks:
                await write(data)

    return Streamed(whole, BYTES)


async def _beginning(call: Call[Nothing, LogsQuery], job_id: str) -> Beginning:
    asked = call.query
    if asked.tail is None and asked.since is None:
        return Beginning(cursor=asked.cursor)
    if asked.cursor is not None:
        raise invalid("cursor", "already says where to begin; leave out tail and since")
    return await call.reading.log_reader.beginning(job_id, asked.tail, asked.since, attempt=asked.attempt)


async def _check(call: Call[Any, Any], job_id: str, cursor: str | None, attempt: int | None) -> None:
    """Raises :class:`Refused` before an answer begins, if the cursor or the attempt is invalid.

    The usual cursor, a number of bytes, needs no look. Only its provider can check another one: it is asked for the
    first piece.
    """
    plain = cursor is None or (cursor.isascii() and cursor.isdigit() and len(cursor) < _DIGITS)
    if plain and attempt is None:
        return
    if cursor is not None and (len(cursor) > maxima.CURSOR or not cursor.isprintable()):
        raise invalid("cursor", "is not a cursor of this output")
    async with aclosing(call.reading.log_reader.read(job_id, cursor, attempt=attempt)) as pieces:  # type: ignore[type-var]
        await anext(pieces, None)


async def _page(call: Call[Nothing, LogsQuery], job_id: str, begin: Beginning, limit: int) -> Response:
    content, cursor = bytearray(begin.head), begin.cursor
    source = call.reading.log_reader.read(job_id, cursor, attempt=call.query.attempt)
    async with aclosing(source) as chunks:  # type: ignore[type-var]
        async for data, following in chunks:
            content += data
            cursor = following
            if len(content) >= limit:
                break
    headers = {} if cursor is None else {NEXT_CURSOR: quote(cursor, safe="")}
    return Response(bytes(content), media_type=BYTES, headers=headers)


async def stream(call: Call[Nothing, LogStreamQuery]) -> Streamed:
    """Send a job's output as server-sent events while it is written: ``output`` with its ``text``, and ``end`` when it
    ended.

    A ``notice`` has a ``text`` of ours, for example that the output became shorter. ``unreadable``, with its
    ``detail``, is the last event if the output cannot be read any further. The ``id`` of an event is a cursor:
    ``Last-Event-ID`` continues after it. Bytes that are not UTF-8 are replaced; with ``encoding=base64`` an ``output``
    has its bytes as ``base64`` instead.
    """
    runtime, ending = call.runtime, call.ending
    job_id = (await runtime.jobs.get(call.path("job_id"))).job.job_id
    cursor = call.request.headers.get("last-event-id", call.query.cursor)
    attempt = call.query.attempt
    await _check(call, job_id, cursor, attempt)

    async def produce(events: EventStream) -> None:
        await events.send({"type": "connected"}, "connection")
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            async with runtime.log_reader.follow(job_id, cursor, attempt=attempt) as pieces:
                async for data, following in pieces:
                    if isinstance(data, LogNotice):
                        await events.send({"type": "notice", "text": data.text}, "notice", following)
                    elif call.query.encoding == "base64":
                        output = {"type": "output", "base64": b64encode(data).decode()}
                        await events.send(output, "output", following)
                    elif text := decoder.decode(data):
                        await events.send({"type": "output", "text": text}, "output", following)
        except Refused as refusal:
            await events.send({"type": "unreadable", "detail": f"{UNREADABLE}: {refusal}"}, "unreadable")
            return
        job = (await runtime.jobs.get(job_id)).job
        await events.send({"type": "end", "job_id": job_id, "status": job.status.value}, "end")

    return Streamed(EventStream(ending, produce).run, EVENT_STREAM)


async def search(call: Call[Nothing, LogSearchQuery]) -> Streamed:
    """Search a job's output for a text, as server-sent events while it is read to its present end.

    ``found`` has the number of the ``line``, counted from 1, and the ``text`` around the first match in it.
    ``searched`` has the ``bytes`` that were read so far. The last event is ``end``, with the ``lines`` and ``bytes``
    that were read, and whether that is ``all`` of the output (it is not if the limit was reached); or ``unreadable``
    with its ``detail``.
    """
    asked, runtime = call.query, call.runtime
    job_id = (await runtime.jobs.get(call.path("job_id"))).job.job_id
    await _check(call, job_id, None, asked.attempt)

    async def produce(events: EventStream) -> None:
        looking, left, size, shown = OutputSearch(asked.text), asked.limit, 0, 0

        async def send(found: list[FoundLine]) -> None:
            nonlocal left
            for one in found[:left]:
                await events.send({"type": "found", **attrs.asdict(one)}, "found")
            left -= len(found[:left])

        try:
            source = runtime.log_reader.read(job_id, attempt=asked.attempt)
            async with aclosing(source) as pieces:  # type: ignore[type-var]
                async for data, _cursor in pieces:
                    size += len(data)
                    await send(looking.feed(data))
                    if left == 0:
                        break
                    if size - shown >= _SEARCHED:
                        shown = size
                        await events.send({"type": "searched", "bytes": size}, "searched")
        except Refused as refusal:
            await events.send({"type": "unreadable", "detail": f"{UNREADABLE}: {refusal}"}, "unreadable")
            return
        await send(looking.feed(b"", final=True))
        await events.send({"type": "end", "lines": looking.lines, "bytes": size, "all": left > 0}, "end")

    return Streamed(EventStream(call.ending, produce).run, EVENT_STREAM)


ROUTES = [
    route("GET", "/api/jobs/{job_id}/logs", logs, OWN_JOB_STREAM, media=BYTES),
    route("GET", "/api/jobs/{job_id}/logs/stream", stream, OWN_JOB_STREAM, media=EVENT_STREAM, headers=LAST_EVENT_ID),
    route("GET", "/api/jobs/{job_id}/logs/search", search, OWN_JOB_STREAM, media=EVENT_STREAM),
]
