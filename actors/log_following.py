"""A job's output as it comes, until the job ends: from the provider's own stream where it has one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import cast

import trio

from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import JobView
from actors.providers.base import Handle, LogChunk, Logs
from actors.providers.guard import GuardedProvider

Piece = tuple[bytes, str]

_AHEAD = 16
"""Chunks that are read before somebody takes them; then the provider waits."""


@asynccontextmanager
async def followed(
    view: JobView,
    providers: Mapping[str, GuardedProvider],
    cursor: str | None,
    looked: Callable[[], AsyncIterator[Piece]],
    settled: Callable[[], Awaitable[JobView]],
) -> AsyncIterator[AsyncIterator[Piece]]:
    """The output of ``view``'s job.

    ``looked`` reads it by looking again and again: for providers without a stream, and for a job that is not handed
    over yet. ``settled`` waits until it is, or has ended.
    """
    provider = providers.get(view.job.provider)
    if provider is None or provider.capabilities.logs is not Logs.STREAM or view.job.is_terminal:
        async with aclosing(cast("AsyncGenerator[Piece, None]", looked())) as pieces:
            yield pieces
        return
    send, receive = trio.open_memory_channel[LogChunk](_AHEAD)
    async with send, receive, trio.open_nursery() as nursery:
        nursery.start_soon(_stream, provider, send.clone(), cursor, settled)
        send.close()
        pieces = _pieces(receive)
        try:
            yield pieces
        finally:
            nursery.cancel_scope.cancel()


async def _stream(
    provider: GuardedProvider,
    into: trio.MemorySendChannel[LogChunk],
    cursor: str | None,
    settled: Callable[[], Awaitable[JobView]],
) -> None:
    async with into:
        submission = (await settled()).submission
        if submission is None or submission.handle is None:
            return
        handle: Handle = submission.handle
        failure = await provider.follow(submission.key, handle, into, cursor)
    if failure is not None:
        raise Refused(failure.message, RefusalKind.UNAVAILABLE)


async def _pieces(receive: trio.MemoryReceiveChannel[LogChunk]) -> AsyncGenerator[Piece, None]:
    async for chunk in receive:
        yield chunk.data, chunk.cursor
