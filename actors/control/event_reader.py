"""Reading events as they are written, and reporting which ones can no longer be read.

Rows are the truth. The newest events are also kept as they were published, in one list that all readers share
(:class:`RecentEvents`), so that an event costs no query, however many readers there are. A reader has no queue, only a
place: the number of the last event that it looked at. It takes the events after its place from that list if the list
reaches back to it without a gap, else from rows. A reader that resumes begins with rows: the list may still have events
that were removed since, for which the reader got a gap.

Between two looks a reader waits for a wake, which its filter on the bus leaves for each event that it wants. The wake
is one slot of a channel, which exists before the reader looks, so no event is missed: an event that comes while the
reader looks leaves a wake, and an unnecessary wake costs one look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Unpack
from weakref import WeakSet

import trio
from sqlalchemy import Connection

from actors.jobs.pages import Page
from actors.jobs.records import Event
from actors.jobs.views import EventFilters, Gap
from actors.kernel import Bus
from actors.ledger import Ledger
from actors.store import events as event_rows
from actors.store.errors import StoreClosed

LARGEST_SEQ = 2**63 - 1
_EVENT_PAGE = 500


class RecentEvents:
    """The newest events as they were published, without a gap between them."""

    def __init__(self, most: int = _EVENT_PAGE) -> None:
        self._most = most
        self._kept: list[Event] = []

    def keep(self, event: Event) -> None:
        """Add an event that was committed; one that was added before is ignored."""
        if self._kept and event.seq <= self._kept[-1].seq:
            return
        if self._kept and event.seq != self._kept[-1].seq + 1:
            self._kept.clear()  # what is missing was written by another process
        self._kept.append(event)
        if len(self._kept) > 2 * self._most:
            del self._kept[: self._most]

    @property
    def newest(self) -> int:
        """The number of the newest event; 0 if there is none."""
        return self._kept[-1].seq if self._kept else 0

    def after(self, seq: int) -> list[Event] | None:
        """All events after number ``seq``; None if they can only be read from rows."""
        if not self._kept or seq < self._kept[0].seq - 1 or seq > self._kept[-1].seq:
            return None
        return self._kept[seq - self._kept[0].seq + 1 :]


class EventReader:
    """Reads the events of one runtime. ``counted``: a context that each reader enters, so that readers can be
    counted.
    """

    def __init__(
        self, ledger: Ledger, bus: Bus, counted: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self.counted = counted
        self.bus = bus
        self.recent = RecentEvents()
        self.readers: WeakSet[Events] = WeakSet()
        self._ledger = ledger
        bus.subscribe(Event, where=self._keep)  # before any reader, whose wake must find the event kept

    def _keep(self, event: Event) -> bool:
        self.recent.keep(event)
        return False

    def events(self, *, after: int | None = None, **filters: Unpack[EventFilters]) -> Events:
        """Events after number ``after`` (None: from now on), each once, in order, until the iteration is left."""
        return Events(self, after, filters)

    def end(self) -> None:
        """No more events come: whoever waits for one gets :class:`StoreClosed`, as every later operation does."""
        for reader in list(self.readers):
            reader.end()

    async def last(self) -> int:
        """The number of the newest event in the rows."""
        return await self._ledger.read(event_rows.last)

    async def past_events(
        self, *, after: int = 0, limit: int = _EVENT_PAGE, **filters: Unpack[EventFilters]
    ) -> Page[Event]:
        """Events that exist already, in order."""

        def query(connection: Connection) -> Page[Event]:
            found, more = event_rows.page(connection, after, limit=limit, **filters)
            return Page(found, more=more, cursor=lambda event: str(event.seq))

        return await self._ledger.read(query)

    async def gap(self, after: int) -> Gap | None:
        """The events that can no longer be read after number ``after``; None: none is missing."""

        def query(connection: Connection) -> Gap | None:
            last = event_rows.written(connection)
            if after > last:
                return Gap(after, 0, last)
            missing = last - after - event_rows.number_after(connection, after)
            return Gap(after, missing, after) if missing else None

        return await self._ledger.read(query)

    async def place_to_begin(self, after: int | None) -> tuple[int, Gap | None]:
        """The number after which a reader continues that has read everything up to ``after`` (None: up to now), and
        its gap.
        """
        gap = await self.gap(LARGEST_SEQ if after is None else after)
        if after is None:
            return (LARGEST_SEQ if gap is None else gap.resume), None
        return (after if gap is None else gap.resume), gap


class Events:
    """One reader's events: ``async with reader.events() as events: async for event in events``.

    They begin where the block is entered and end where it is left. ``async for event in reader.events()`` does without
    the block: then they begin with the loop, and end when nobody has this object any more. If the runtime ends
    first, the iteration raises :class:`StoreClosed`.
    """

    def __init__(self, reader: EventReader, after: int | None, filters: EventFilters) -> None:
        self._held = ExitStack()
        self._reader = reader
        self._filters = filters
        self._is_read = False  # nothing more is there before the next wake
        self._has_ended = False
        self._ready: deque[Event] = deque()
        self._is_wanted = _filter(filters)
        self._after = after
        self._seq = 0
        self._from_rows = after is not None
        self._wakes: trio.MemoryReceiveChannel[None] | None = None

    async def __aenter__(self) -> Events:
        await self._begin()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    def __del__(self) -> None:
        self.close()

    def end(self) -> None:
        """The runtime has ended."""
        self._has_ended = True
        self.close()

    def close(self) -> None:
        """End; whoever waits for an event waits no more."""
        self._held.close()
        self._ready.clear()
        self._is_read = True

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        if self._wakes is None:
            await self._begin()
        assert self._wakes is not None
        while not self._ready:
            try:
                if self._is_read:
                    await self._wakes.receive()
                    self._is_read = False
                await self._look()
            except (trio.ClosedResourceError, trio.EndOfChannel):
                self._check_running()
                raise StopAsyncIteration from None
        return self._ready.popleft()

    def _check_running(self) -> None:
        if self._has_ended:
            raise StoreClosed("no more events come: the runtime has ended")

    async def _begin(self) -> None:
        self._reader.readers.add(self)
        send, wakes = trio.open_memory_channel[None](1)
        is_wanted = self._is_wanted

        def wake(event: Event) -> bool:
            if is_wanted(event):
                with suppress(trio.WouldBlock):  # it has a wake already
                    send.send_nowait(None)
            return False

        with ExitStack() as held:  # in this order: an event may come until the subscription has ended
            held.callback(wakes.close)
            held.callback(send.close)
            held.enter_context(self._reader.counted())
            held.enter_context(self._reader.bus.subscribe(Event, where=wake))
            self._seq = self._after if self._after is not None else await self._reader.last()
            self._check_running()
            self._held, self._wakes = held.pop_all(), wakes

    async def _look(self) -> None:
        """Take what is there, from the list of recent events or a page of rows."""
        recent = None if self._from_rows else self._reader.recent.after(self._seq)
        if recent is not None:
            self._ready.extend(filter(self._is_wanted, recent))
            self._seq, self._is_read = (recent[-1].seq if recent else self._seq), True
            return
        published = self._reader.recent.newest
        page = await self._reader.past_events(after=self._seq, **self._filters)
        self._ready.extend(page)
        if page:
            self._seq = page[-1].seq
        if page.next is None:  # what was published before was in a row, or removed
            self._from_rows, self._seq, self._is_read = False, max(self._seq, published), True


def _filter(filters: EventFilters) -> Callable[[Event], bool]:
    job_id, user_id, types = filters.get("job_id"), filters.get("user_id"), frozenset(filters.get("types", ()))

    def is_wanted(event: Event) -> bool:
        return (
            (job_id is None or event.job_id == job_id)
            and (user_id is None or event.user_id == user_id)
            and (not types or event.type in types)
        )

    return is_wanted
