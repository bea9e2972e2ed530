"""A job's output as it is written, from its provider's own stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from actors.jobs.records import Submission
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import FailureKind
from actors.providers.base import LogChunk
from actors.providers.guard import Failure, GuardedProvider

Piece = tuple[bytes, str]

_AHEAD = 16
"""The most chunks that are read ahead of the reader; then the provider waits."""


@asynccontextmanager
async def streamed(
    provider: GuardedProvider, submission: Submission, cursor: str | None
) -> AsyncIterator[trio.MemoryReceiveChannel[LogChunk]]:
    """Chunks of the provider's stream until the job ends. If the stream fails, leaving the block raises the reason."""
    assert submission.handle is not None
    key, handle = submission.key, submission.handle
    failure: Failure | None = None
    send, receive = trio.open_memory_channel[LogChunk](_AHEAD)

    async def read() -> None:
        nonlocal failure
        async with send:
            failure = await provider.follow(key, handle, send, cursor)

    async with receive, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        yield receive
    if failure is not None:
        raise unreadable(failure)


def unreadable(failure: Failure) -> Refused:
    """The refusal if a job's output cannot be read: the cursor is invalid, or the provider does not answer."""
    if failure.kind is FailureKind.INVALID:
        return Refused(f"cursor: {failure.message}", RefusalKind.INVALID, "cursor")
    return Refused(failure.message, RefusalKind.UNAVAILABLE)
