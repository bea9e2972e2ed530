"""EventReader what happens: events as they are written, and what can no longer be told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Unpack

import trio
from sqlalchemy import Connection

from actors.jobs.pages import Page
from actors.jobs.records import Event
from actors.jobs.views import EventFilters, Gap
from actors.kernel import Bus
from actors.ledger import Ledger
from actors.store import events as event_rows

_EVENT_PAGE = 500


class RecentEvents:
    """The newest events as they were published, without a gap among them: a hundred readers cost no query an event."""

    def __init__(self, most: int = _EVENT_PAGE) -> None:
        self._most = most
        self._kept: list[Event] = []

    def keep(self, event: Event) -> None:
        """Take an event that was committed; one that was seen already is passed over."""
        if self._kept and event.seq <= self._kept[-1].seq:
            return
        if self._kept and event.seq != self._kept[-1].seq + 1:
            self._kept.clear()  # what is missing was written by another process, or while nobody listened
        self._kept.append(event)
        if len(self._kept) > 2 * self._most:
            del self._kept[: self._most]

    def after(self, seq: int) -> list[Event] | None:
        """All that came after number ``seq``; None where that can only be read from rows."""
        if not self._kept or seq < self._kept[0].seq - 1 or seq > self._kept[-1].seq:
            return None
        return self._kept[seq - self._kept[0].seq + 1 :]


class EventReader:
    """Reads the events of one runtime. ``counted``: open for as long as somebody reads, for whoever counts readers."""

    def __init__(
        self, ledger: Ledger, bus: Bus, counted: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._counted = counted
        self._ledger = ledger
        self._bus = bus
        self._recent = RecentEvents()

    @asynccontextmanager
    async def events(
        self, *, after: int | None = None, **filters: Unpack[EventFilters]
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Events after ``after``, each once, in order: from rows, or as they were published where nothing lies between.

        What is published was committed, and is numbered like the row; so none is lost or doubled by a slow reader.
        """
        job_id, wanted = filters.get("job_id"), frozenset(filters.get("types", ()))
        send, receive = trio.open_memory_channel[None](1)

        def is_wanted(event: Event) -> bool:
            return (job_id is None or event.job_id == job_id) and (not wanted or event.type in wanted)

        def relevant(event: Any) -> bool:
            if not isinstance(event, Event):
                return False
            self._recent.keep(event)
            if is_wanted(event) and not send.statistics().current_buffer_used:
                send.send_nowait(None)
            return False

        async with send, receive:  # closed after the subscription has ended: an event may come at any checkpoint
            with self._counted(), self._bus.subscribe(where=relevant):
                start = after if after is not None else await self._ledger.read(event_rows.last)
                stream = self._read_events(start, filters, is_wanted, receive)
                try:
                    yield stream
                finally:
                    await stream.aclose()

    async def _read_events(
        self,
        seq: int,
        filters: EventFilters,
        is_wanted: Callable[[Event], bool],
        wake: trio.MemoryReceiveChannel[None],
    ) -> AsyncGenerator[Event, None]:
        by_row_alone = filters.get("user_id") is not None  # whose job it is stands in the job's row
        while True:
            newest = None if by_row_alone else self._recent.after(seq)
            if newest is not None:
                for event in newest:
                    seq = event.seq
                    if is_wanted(event):
                        yield event
                page_is_last = self._recent.after(seq) == []
            else:
                page = await self.past_events(after=seq, **filters)
                for event in page:
                    seq = event.seq
                    yield event
                page_is_last = page.next is None
            if page_is_last:
                await wake.receive()

    async def past_events(
        self, *, after: int = 0, limit: int = _EVENT_PAGE, **filters: Unpack[EventFilters]
    ) -> Page[Event]:
        """Events that are there already, in order."""

        def query(connection: Connection) -> Page[Event]:
            found, more = event_rows.page(connection, after, limit=limit, **filters)
            return Page(found, more=more, cursor=lambda event: str(event.seq))

        return await self._ledger.read(query)

    async def gap(self, after: int) -> Gap | None:
        """What a reader who saw everything up to number ``after`` can no longer be told; None: nothing."""

        def query(connection: Connection) -> Gap | None:
            last = event_rows.written(connection)
            if after > last:
                return Gap(after, 0, last)
            missing = last - after - event_rows.number_after(connection, after)
            return Gap(after, missing, after) if missing else None

        return await self._ledger.read(query)
