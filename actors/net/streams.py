"""A connection on which no write waits for ever: it ends with its reader, or at the deadline."""

from __future__ import annotations

import math
import os
import ssl
from pathlib import Path

import trio

WRITE_SECONDS = 10.0
"""Seconds that one write may wait for a reader before the reader is disconnected."""


class BoundedStream(trio.abc.HalfCloseableStream):
    """``stream`` from a client at ``address`` ("": a Unix socket), with a deadline for each write.

    A write that has begun is not cancelled: half a frame would make everything after it unreadable. The stream records
    how far its client is, so that :class:`~actors.net.connections.Connections` can choose which one to close: one
    without a request (until :meth:`begin`, and again from :meth:`end` on), else one of an unknown client (until
    :meth:`recognise`), which may send its body slowly.
    """

    def __init__(self, stream: trio.SocketStream, address: str = "") -> None:
        self._stream = stream
        self.address = address
        self.socket = stream.socket
        self._busy = False
        self._recognised = False
        self._received = False
        self._answered = 0
        self._waits_since = trio.current_time()
        self._latest = math.inf
        self._writing: trio.CancelScope | None = None

    def begin(self) -> None:
        """A request is being served; its client may be unknown."""
        self._busy = True
        self._waits_since = trio.current_time()

    def recognise(self) -> None:
        """The request is a known client's: of a valid token or session, or of this machine's operator."""
        self._recognised = True

    def end(self) -> None:
        """The request was answered; the server waits for the next one."""
        self._busy = self._recognised = False
        self._answered += 1
        self._waits_since = trio.current_time()

    @property
    def patience(self) -> tuple[bool, bool, float]:
        """The priority; the lowest is closed first.

        First come connections that never had a request, then those that wait for the next one, then those of unknown
        clients whose requests are served; in each group the oldest first.
        """
        return self._busy, self._answered > 0, self._waits_since

    @property
    def made_no_sense(self) -> bool:
        """Whether its client has sent something, but never a request that could be served."""
        return self._received and not self._busy and not self._answered

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet; its task may still have to notice."""
        return self.socket.fileno() >= 0

    @property
    def may_give_way(self) -> bool:
        """Whether it may be closed: it serves no request, or one of an unknown client."""
        return not (self._busy and self._recognised)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write within :data:`WRITE_SECONDS`. Raises ``trio.BrokenResourceError`` if the reader does not read it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if not data:  # Hypercorn ends every answer with one
            return
        rest = self._send_now(data)
        if not rest:  # as nearly always: a scope of its own would cost as much as the write
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        deadline = min(trio.current_time() + WRITE_SECONDS, self._latest)
        with trio.CancelScope(deadline=deadline, shield=True) as self._writing:
            await self._stream.send_all(rest)
        if self._writing.cancelled_caught:
            self.socket.close()
            raise trio.BrokenResourceError("the reader did not take what was written")

    def _send_now(self, data: bytes | bytearray | memoryview) -> memoryview:
        """Write what the connection accepts at once. Returns the rest. Raises like ``send_all``."""
        rest = memoryview(data)
        if not self.is_open:
            raise trio.ClosedResourceError("this connection was closed")
        try:
            return rest[os.write(self.socket.fileno(), rest) :]
        except BlockingIOError:
            return rest
        except OSError as error:
            raise trio.BrokenResourceError(f"the connection is broken: {error.strerror}") from error

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream's."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As the stream's."""
        received = bytes(await self._stream.receive_some(max_bytes))
        self._received = self._received or bool(received)
        return received

    async def send_eof(self) -> None:
        """As the stream's."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """As the stream's."""
        await self._stream.aclose()

    def limit_writes(self, latest: float) -> None:
        """Let no write wait beyond ``latest``, the one under way included."""
        self._latest = latest
        if self._writing is not None:
            self._writing.deadline = min(self._writing.deadline, latest)


def encrypted(stream: BoundedStream, context: ssl.SSLContext | None) -> BoundedStream | trio.SSLStream[BoundedStream]:
    """``stream`` with TLS on it, None: without; the caller limits the time of the handshake."""
    return stream if context is None else trio.SSLStream(stream, context, server_side=True, https_compatible=True)


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The TLS context of connections; None if they are not encrypted. Raises ``OSError``: no such file, no such key."""
    if certificate is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
