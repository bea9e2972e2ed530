"""A bare client of the stream of events: what comes over a socket, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import trio

PATIENCE = 60.0
"""Seconds after which something that never comes has failed; what comes, comes at once."""


async def closed(stream: trio.abc.ReceiveStream) -> bytes:
    """What comes until the other side closes."""
    whole = b""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                piece = await stream.receive_some(65536)
            except trio.BrokenResourceError:
                return whole
            if not piece:
                return whole
            whole += piece


class Frames:
    """The events of a stream, read from a bare socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = b""

    @classmethod
    async def open(cls, socket: Path, query: str = "", header: str = "", path: str = "/api/events") -> Frames:
        """Ask for the stream and read its head."""
        frames = cls(await trio.open_unix_socket(socket))
        await frames.stream.send_all(f"GET {path}{query} HTTP/1.0\r\nHost: x\r\n{header}\r\n".encode())
        head = await frames._until(b"\r\n\r\n")
        assert b"200" in head.splitlines()[0], head
        assert b"text/event-stream" in head
        return frames

    async def next(self) -> dict[str, str]:
        """The next event's fields; a comment is under ``""``."""
        lines = (await self._until(b"\n\n")).decode().splitlines()
        return dict(line.split(": ", 1) for line in lines)

    async def _until(self, mark: bytes) -> bytes:
        with trio.fail_after(PATIENCE):
            while mark not in self._buffer:
                piece = await self.stream.receive_some(65536)
                assert piece, "the stream ended"
                self._buffer += piece
        found, _, self._buffer = self._buffer.partition(mark)
        return found


async def submit(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/api/jobs", json={"provider": "scripted", "user_id": "ana", **fields})
    made: dict[str, Any] = response.json()
    return made
