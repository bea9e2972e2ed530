"""The feed's end of a connection: frames that are written whole, and a callback when the client has left."""

from __future__ import annotations

from collections.abc import Callable

import trio


class FrameStream(trio.abc.Stream):
    """``stream``, bounded and perhaps encrypted, for one WebSocket.

    A frame that has begun is written to its end, through TLS too: half of one would make everything after it, the close
    frame included, unreadable. ``on_end`` is called when nothing more will be received.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.on_end: Callable[[], object] = lambda: None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it. Raises ``trio.BrokenResourceError`` when the reader does not take it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(shield=True):
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream's."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As the stream's."""
        received = b""
        try:
            received = bytes(await self._stream.receive_some(max_bytes))
        finally:
            if not received:
                self.on_end()
        return received

    async def aclose(self) -> None:
        """As the stream's."""
        try:
            await self._stream.aclose()
        finally:
            self.on_end()
