"""A job's output: as far as it is written, or until the job ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import trio

from actors.control.context import Context
from actors.control.jobs import Jobs
from actors.control.log_beginning import Beginning, beginning
from actors.control.log_follower import Piece, followed, unreadable
from actors.jobs.records import Submission
from actors.jobs.refusal import RefusalKind, Refused
from actors.providers.guard import Failure

_LOOK_SECONDS = 0.5
"""Between two looks at a job that has not ended, where its provider does not stream."""

Recheck = Callable[[str, str], object]
"""Has a provider asked about one job now: by the provider's name and the submission's key."""


class LogReader:
    """Reads the output of jobs at their providers; ``recheck``: where a poller runs, its request to look again."""

    def __init__(self, context: Context, jobs: Jobs, recheck: Recheck = lambda _provider, _key: None) -> None:
        self._context = context
        self._jobs = jobs
        self._recheck = recheck

    async def read(self, job_id: str, cursor: str | None = None, *, follow: bool = False) -> AsyncIterator[Piece]:
        """A job's output as (bytes, cursor to go on from); with ``follow`` until the job ends.

        A line of ours in the middle of it, such as that the output became shorter, is a
        :class:`~actors.providers.log_notices.LogNotice`.
        """
        while True:
            view = await self._jobs.get(job_id)
            submission = view.submission
            if submission is not None and submission.handle is not None:
                provider = self._context.providers.get(view.job.provider)
                if provider is None:
                    raise Refused(f"provider {view.job.provider} is not configured here", RefusalKind.UNAVAILABLE)
                chunks = await provider.logs(submission.key, submission.handle, cursor)
                if isinstance(chunks, Failure):
                    raise unreadable(chunks)
                for chunk in chunks:
                    cursor = chunk.cursor
                    yield chunk.data, chunk.cursor
                if chunks:
                    continue
            if not follow or view.job.is_terminal:
                return
            await trio.sleep(_LOOK_SECONDS)

    async def beginning(self, job_id: str, lines: int | None = None, since: datetime | None = None) -> Beginning:
        """Where the last ``lines`` lines begin, what came ``since`` then, or the later of both.

        Raises :class:`Refused` where it is not known when output came.
        """
        view = await self._jobs.get(job_id)
        return await beginning(self._context, view, partial(self.read, view.job.job_id), lines, since)

    @asynccontextmanager
    async def follow(self, job_id: str, cursor: str | None = None) -> AsyncIterator[AsyncIterator[Piece]]:
        """A job's output from ``cursor`` until it ends, as it comes where the provider has a stream of it."""
        view = await self._jobs.get(job_id)
        looked = partial(self.read, view.job.job_id, cursor, follow=True)
        handed = partial(self._handed_over, view.job.job_id)
        ended = partial(self._ended, view.job.provider)
        async with followed(view, self._context.providers, cursor, looked, handed, ended) as pieces:
            yield pieces

    async def _handed_over(self, job_id: str) -> Submission | None:
        """The hand-over of a job, waited for; None where it ended before."""
        while (seen := await self._jobs.get(job_id)).submission is None or seen.submission.handle is None:
            if seen.job.is_terminal:
                return None
            await trio.sleep(_LOOK_SECONDS)
        return seen.submission

    async def _ended(self, provider: str, submission: Submission) -> None:
        """Wait for the end of a job whose provider knows it already."""
        self._recheck(provider, submission.key)
        while not (await self._jobs.row(submission.job_id)).is_terminal:  # noqa: ASYNC110 - rows are the truth
            await trio.sleep(_LOOK_SECONDS)
