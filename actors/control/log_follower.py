"""A job's output as it comes, from its provider's own stream."""

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
"""Chunks that are read before somebody takes them; then the provider waits."""


@asynccontextmanager
async def streamed(
    provider: GuardedProvider, submission: Submission, cursor: str | None
) -> AsyncIterator[trio.MemoryReceiveChannel[LogChunk]]:
    """Chunks of the provider's stream until the job ends; leaving the block raises why it could not go on."""
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
    """Why a job's output cannot be read: the cursor is wrong (nothing else that is asked can be), or it is down."""
    if failure.kind is FailureKind.INVALID:
        return Refused(f"cursor: {failure.message}", RefusalKind.INVALID, "cursor")
    return Refused(failure.message, RefusalKind.UNAVAILABLE)
