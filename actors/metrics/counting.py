"""Operations whose open streams of events are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from actors.jobs.records import Event
from actors.metrics.tallies import Tallies
from actors.operations import Operations


class Counted(Operations):
    """The operations, and the ``tallies`` of the runtime that runs them."""

    tallies: Tallies

    @asynccontextmanager
    async def events(
        self, *, after: int | None = None, job_id: str | None = None, types: Iterable[str] = ()
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Events after number ``after``, without loss or doubles."""
        with self.tallies.subscribed():
            async with super().events(after=after, job_id=job_id, types=types) as changes:
                yield changes
