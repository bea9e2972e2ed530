"""A connection whose writes end, and are whole."""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

WRITE_SECONDS = 15.0
"""How long one write may wait for its reader before the connection is cut."""


class BoundedStream(trio.abc.Stream):
    """``stream``, with a deadline for each write. A write that has begun is not cancelled: half a frame would make
    everything after it, the close frame too, unreadable. ``on_end`` is called when nothing more will be received.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._latest = math.inf
        self._writing: trio.CancelScope | None = None
        self.on_end: Callable[[], object] = lambda: None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write within :data:`WRITE_SECONDS`. Raises ``trio.BrokenResourceError`` when the reader does not take it."""
        deadline = min(trio.current_time() + WRITE_SECONDS, self._latest)
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(deadline=deadline, shield=True) as self._writing:
            await self._stream.send_all(data)
        if self._writing.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the reader did not take what was written")

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

    def hurry(self, latest: float) -> None:
        """Let no write wait beyond ``latest``, the one under way included."""
        self._latest = latest
        if self._writing is not None:
            self._writing.deadline = min(self._writing.deadline, latest)
