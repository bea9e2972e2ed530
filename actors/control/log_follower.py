"""A job's output as it comes, until the job ends: from the provider's own stream where it has one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import cast

import trio

from actors.jobs.records import Submission
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import FailureKind
from actors.jobs.views import JobView
from actors.providers.base import LogChunk
from actors.providers.guard import Failure, GuardedProvider

Piece = tuple[bytes, str]

_AHEAD = 16
"""Chunks that are read before somebody takes them; then the provider waits."""


@trio.as_safe_channel
async def followed(
    view: JobView,
    providers: Mapping[str, GuardedProvider],
    cursor: str | None,
    looked: Callable[[], AsyncIterator[Piece]],
    handed: Callable[[], Awaitable[Submission | None]],
    ended: Callable[[Submission], Awaitable[None]],
) -> AsyncGenerator[Piece, None]:
    """The output of ``view``'s job. Raises :class:`Refused` where the provider cannot go on.

    ``looked``: reads the output by asking again and again, for providers without a stream. ``handed``: waits for the
    hand-over; None: there will be none. ``ended``: waits until the job has ended in the rows, too, after its provider
    has ended the stream.
    """
    provider = providers.get(view.job.provider)
    if provider is None or not provider.capabilities.streams_logs or view.job.is_terminal:
        async with aclosing(cast("AsyncGenerator[Piece, None]", looked())) as pieces:
            async for piece in pieces:
                yield piece  # noqa: ASYNC119, RUF100 - closed by as_safe_channel
        return
    submission = await handed()
    if submission is None:
        return
    async with _streamed(provider, submission, cursor) as chunks:
        async for chunk in chunks:
            yield chunk.data, chunk.cursor  # noqa: ASYNC119, RUF100 - closed by as_safe_channel
    await ended(submission)


@asynccontextmanager
async def _streamed(
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
