"""What a provider has whose logs are a stream."""

from __future__ import annotations

from typing import Protocol

import trio

from actors.providers.base import Handle, LogChunk


class Streams(Protocol):
    """What a provider has beside :class:`Provider` whose ``capabilities.logs`` is ``Logs.STREAM``."""

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> None:
        """Send the job's output from ``cursor`` into ``into`` as it comes, each byte once, until the job has ended."""
        ...
