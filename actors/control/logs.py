"""A job's output, as far as it is written or until the job ends: of one attempt, or of all from one attempt on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import trio

from actors.control.context import Context
from actors.control.jobs import Jobs
from actors.control.log_beginning import Beginning, beginning
from actors.control.log_follower import Piece, streamed, unreadable
from actors.control.log_place import LogPlace
from actors.jobs.records import Submission, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import JobView
from actors.providers.base import LogChunk
from actors.providers.guard import Failure, GuardedProvider
from actors.store import submissions
from logconf import bind_correlation_id

_LOOK_SECONDS = 0.5
"""Seconds between two looks at a job that has not ended, if its provider does not stream."""

Recheck = Callable[[str, str], object]
"""Asks a provider about one job now; called with the provider's name and the submission's key."""


class LogReader:
    """Reads the output of jobs from their providers. ``recheck``: asks the poller to look at a job again, if one
    runs.
    """

    def __init__(self, context: Context, jobs: Jobs, recheck: Recheck = lambda _provider, _key: None) -> None:
        self._context = context
        self._jobs = jobs
        self._recheck = recheck

    async def read(
        self, job_id: str, cursor: str | None = None, *, follow: bool = False, attempt: int | None = None
    ) -> AsyncIterator[Piece]:
        """A job's output as pairs of bytes and the cursor after them; with ``follow`` until the job ends.

        It begins at ``cursor`` (None: at the newest attempt that has output) and continues with later attempts;
        ``attempt``: only the output of this one. A line of ours in the middle of it, such as that the output became
        shorter or that another attempt begins, is a :class:`~actors.providers.log_notices.LogNotice`. Raises
        :class:`Refused`.
        """
        place = LogPlace.of(cursor, attempt)
        while True:
            pieces = await self._pieces(place, await self._look(place, job_id))
            for piece in pieces:
                yield piece
            if not pieces:
                if not follow or place.is_over:
                    return
                await trio.sleep(_LOOK_SECONDS)

    async def beginning(
        self, job_id: str, lines: int | None = None, since: datetime | None = None, *, attempt: int | None = None
    ) -> Beginning:
        """Where the last ``lines`` lines begin, or what was written ``since`` a time; of both, the later.

        Applies to ``attempt``, or to the newest attempt that has output. Raises :class:`Refused` if it is not known
        when output was written.
        """
        place = LogPlace.of(None, attempt)
        view = await self._look(place, job_id)
        read = partial(self.read, view.job.job_id, attempt=attempt)
        return await beginning(self._context, view, place, read, lines, since)

    @asynccontextmanager
    async def follow(
        self, job_id: str, cursor: str | None = None, *, attempt: int | None = None
    ) -> AsyncIterator[AsyncIterator[Piece]]:
        """:meth:`read` until the job ends, with output as soon as it is written if the provider has a stream of it."""
        async with self._followed(job_id, LogPlace.of(cursor, attempt)) as pieces:
            yield pieces

    @trio.as_safe_channel
    async def _followed(self, job_id: str, place: LogPlace) -> AsyncGenerator[Piece, None]:
        while True:
            view = await self._look(place, job_id)
            if (live := self._stream_of(place, view)) is not None:
                provider, submission = live
                async with streamed(provider, submission, place.cursor) as chunks:
                    async for chunk in chunks:
                        yield chunk.data, place.at(chunk.cursor)  # noqa: ASYNC119, RUF100 - closed by as_safe_channel
                await self._ended(view, submission)
                place.is_read = True
                continue
            pieces = await self._pieces(place, view)
            for piece in pieces:
                yield piece  # noqa: ASYNC119, RUF100 - closed by as_safe_channel
            if not pieces:
                if place.is_over:
                    return
                await trio.sleep(_LOOK_SECONDS)

    async def _look(self, place: LogPlace, job_id: str) -> JobView:
        return await place.look(self._context, self._jobs, job_id)

    def _stream_of(self, place: LogPlace, view: JobView) -> tuple[GuardedProvider, Submission] | None:
        """The provider and the attempt to stream from; None if output is not streamed, or was read already."""
        provider, submission = self._context.providers.get(view.job.provider), place.submission
        if provider is None or not provider.capabilities.streams_logs or submission is None or place.is_read:
            return None
        return (provider, submission) if submission.state is SubmissionState.HANDED else None

    async def _pieces(self, place: LogPlace, view: JobView) -> list[Piece]:
        """The attempt's output after the place; if there is none, the notice that another attempt follows; else
        nothing.
        """
        pieces = [(chunk.data, place.at(chunk.cursor)) for chunk in await self._chunks(place, view)]
        if not pieces and (note := place.go_on()) is not None:
            pieces = [(note, place.at(""))]
        return pieces

    async def _chunks(self, place: LogPlace, view: JobView) -> Sequence[LogChunk]:
        submission = place.submission
        if submission is None or submission.handle is None or place.is_read:
            return ()
        provider = self._context.providers.get(view.job.provider)
        if provider is None:
            raise Refused(f"provider {view.job.provider} is not configured here", RefusalKind.UNAVAILABLE)
        with bind_correlation_id(view.job.correlation_id):
            chunks = await provider.logs(submission.key, submission.handle, place.cursor)
        if isinstance(chunks, Failure):
            raise unreadable(chunks)
        return chunks

    async def _ended(self, view: JobView, submission: Submission) -> None:
        """Wait until an attempt has ended in the rows too, as its provider knows already."""
        self._recheck(view.job.provider, submission.key)
        while True:
            row = await self._context.ledger.read(submissions.by_key, submission.key)
            if row is None or row.state is SubmissionState.CLOSED:
                return
            await trio.sleep(_LOOK_SECONDS)
