"""Following what happens: events as they are written, and what can no longer be told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Unpack

import trio
from sqlalchemy import Connection

from actors.jobs.records import Event
from actors.jobs.views import EventFilters, Gap
from actors.kernel import Bus
from actors.ledger import Ledger
from actors.store import events as event_rows

_EVENT_PAGE = 500


class Following:
    """The part of :class:`~actors.operations.Operations` that reads events."""

    def __init__(self, ledger: Ledger, bus: Bus) -> None:
        self.ledger = ledger
        self._bus = bus

    @asynccontextmanager
    async def events(
        self, *, after: int | None = None, **filters: Unpack[EventFilters]
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Events after ``after``, read from rows; the bus only says when to look, so none is lost or doubled."""
        job_id, wanted = filters.get("job_id"), frozenset(filters.get("types", ()))
        send, receive = trio.open_memory_channel[None](1)

        def relevant(event: Any) -> bool:
            if isinstance(event, Event) and (job_id is None or event.job_id == job_id):
                with_room = not wanted or event.type in wanted
                if with_room and not send.statistics().current_buffer_used:
                    send.send_nowait(None)
            return False

        async with send, receive:  # closed after the subscription has ended: an event may come at any checkpoint
            with self._bus.subscribe(where=relevant):
                start = after if after is not None else await self.ledger.read(event_rows.last)
                stream = self._read_events(start, filters, receive)
                try:
                    yield stream
                finally:
                    await stream.aclose()

    async def _read_events(
        self, seq: int, filters: EventFilters, wake: trio.MemoryReceiveChannel[None]
    ) -> AsyncGenerator[Event, None]:
        while True:
            page = await self.ledger.read(
                lambda connection, after=seq: event_rows.after(connection, after, limit=_EVENT_PAGE, **filters)
            )
            for event in page:
                seq = event.seq
                yield event
            if len(page) < _EVENT_PAGE:
                await wake.receive()

    async def past_events(
        self, *, after: int = 0, limit: int = _EVENT_PAGE, **filters: Unpack[EventFilters]
    ) -> list[Event]:
        """Events that are there already, in order."""
        return await self.ledger.read(lambda connection: event_rows.after(connection, after, limit=limit, **filters))

    async def gap(self, after: int) -> Gap | None:
        """What a reader who saw everything up to number ``after`` can no longer be told; None: nothing."""

        def query(connection: Connection) -> Gap | None:
            last = event_rows.written(connection)
            if after > last:
                return Gap(after, 0, last)
            missing = last - after - event_rows.number_after(connection, after)
            return Gap(after, missing, after) if missing else None

        return await self.ledger.read(query)
