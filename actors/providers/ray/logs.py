"""Reads a job's output: all of it with every request, cut at the place up to which it was read; or live, by WebSocket.

The cursor is a number of bytes. Ray's log of a job only grows, and both ways to read it give the same text.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import attrs
import trio
import trio_websocket

from actors.http_client import transport_options
from actors.providers.base import LogChunk
from actors.providers.errors import ProviderError, Unavailable
from actors.providers.log_notices import chunks, shortened
from actors.providers.ray.cluster import Cluster

_AGAIN, _AGAIN_AT_MOST = 0.5, 30.0  # seconds between two connections
_CONNECT = 15.0  # seconds, and as many for the handshake
_LARGEST_MESSAGE = 4 * 1024 * 1024  # bytes; Ray sends ten lines or 20,000 characters, whatever a line's length

_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@attrs.define
class Follower:
    """Follows one job's output until the job ends, over as many connections as this takes.

    Every connection sends the output from its beginning; what was passed on already (``offset`` bytes) is left out.
    ``has_ended``: whether the job has ended.
    """

    cluster: Cluster
    address: str
    job_id: str
    has_ended: Callable[[], Awaitable[bool]]
    into: trio.MemorySendChannel[LogChunk]
    offset: int = 0

    async def run(self) -> None:
        """Return when the job has ended and all of its output is passed on. Raises what the cluster refuses."""
        wait = _AGAIN
        while True:
            before = self.offset
            if await self._has_ended():
                try:
                    whole = await self.cluster.log(self.job_id)
                except Unavailable as error:  # an outage in the last moment is waited out, too
                    if error.reached:
                        raise
                else:
                    await self._note_if_shorter(len(whole))
                    await self._pass_on(whole, 0)
                    return
            else:
                if self.offset:  # a connection sends all from the beginning, and a shorter output never gets here
                    with suppress(ProviderError):
                        size = len(await self.cluster.log(self.job_id))
                        await self._note_if_shorter(size or self.offset)  # none at all: not there yet
                await self._one_connection()
            wait = _AGAIN if self.offset > before else min(2 * wait, _AGAIN_AT_MOST)
            await trio.sleep(wait)

    async def _note_if_shorter(self, size: int) -> None:
        """Send a notice, and continue from the new end, if the output is shorter than what was passed on."""
        if (notice := shortened(self.offset, size)) is not None:
            await self.into.send(notice)
            self.offset = size

    async def _has_ended(self) -> bool:
        """Return whether the job has ended. An outage of the head is waited out, like an outage of the connection."""
        try:
            return await self.has_ended()
        except Unavailable:
            return False

    async def _one_connection(self) -> None:
        """Pass on what one connection sends. Its end proves nothing; the next look at the job decides."""
        try:
            with trio.fail_after(_CONNECT):
                stream = await self._connected()
        except (OSError, trio.TooSlowError):
            return
        # trio-websocket leaves the socket open when the other side ends the connection: so it is ours, and closed here.
        try:
            async with trio.open_nursery() as nursery:
                await self._read(nursery, stream)
                nursery.cancel_scope.cancel()
        except* (trio_websocket.ConnectionClosed, trio_websocket.HandshakeError, OSError, trio.TooSlowError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _connected(self) -> _Stream:
        place = urlsplit(self.address)
        assert place.hostname is not None
        if place.scheme == "https":
            return await trio.open_ssl_over_tcp_stream(place.hostname, place.port or 443, ssl_context=_tls())
        return await trio.open_tcp_stream(place.hostname, place.port or 80)

    async def _read(self, nursery: trio.Nursery, stream: _Stream) -> None:
        place = urlsplit(self.address)
        headers = [(name.encode(), value.encode()) for name, value in self.cluster.credentials().items()]
        with trio.fail_after(_CONNECT):
            connection = await trio_websocket.wrap_client_stream(
                nursery,
                stream,
                place.netloc,
                f"{place.path.rstrip('/')}/api/jobs/{self.job_id}/logs/tail",
                extra_headers=headers,
                max_message_size=_LARGEST_MESSAGE,
            )
        at = 0
        while True:
            message = await connection.get_message()
            data = message if isinstance(message, bytes) else message.encode()
            await self._pass_on(data, at)
            at += len(data)

    async def _pass_on(self, data: bytes, at: int) -> None:
        """Pass on the part of ``data`` that is new. ``data`` begins at place ``at`` of the output."""
        for chunk in chunks(data, max(0, self.offset - at)):
            await self.into.send(LogChunk(chunk.data, str(at + int(chunk.cursor))))
            self.offset = at + int(chunk.cursor)


def _tls() -> ssl.SSLContext | None:
    """Return how certificates are checked, which is the same for every request. None: in the usual way."""
    travel = transport_options(os.environ)[0]
    if travel.verify:
        return ssl.create_default_context(cafile=str(travel.ca_bundle)) if travel.ca_bundle else None
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return unchecked
