"""One client, from its acceptance to its close: what it asks for is read, what happens is sent, its life is checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import orjson
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from actors.access.peer import Peer
from actors.feed.hub import Hub, Told
from actors.feed.messages import Ack, Authenticate, Close, Leave, Malformed, Ping, Subscribe, read
from actors.jobs.views import EventFilters

BEAT = 20.0
"""Seconds between two pings, and how long each may stay unanswered; the token is looked at again as often."""
SLOW_SECONDS = 5.0
"""A message that took longer to be taken is the last one; its reader is told where to resume."""
ACK_SECONDS = 60.0
"""How long a full window may stay unacknowledged."""

StillValid = Callable[[], Awaitable[bool]]


@attrs.define
class _Asked:
    """A subscription that is being served. ``after``: the number of the last event that was looked at."""

    wanted: Subscribe
    after: int | None
    unacknowledged: deque[int] = attrs.field(factory=deque)
    room: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def wants(self, told: Told, only_user: str | None) -> bool:
        """Whether ``told`` passes the filters and may be seen."""
        wanted = self.wanted
        return (
            (only_user is None or told.owner == only_user)
            and (wanted.user is None or told.owner == wanted.user)
            and (wanted.job_id is None or told.job_id == wanted.job_id)
            and (not wanted.types or told.type in wanted.types)
        )


class Conversation:
    """Talks with ``peer`` over ``socket`` until one of both leaves."""

    def __init__(self, socket: WebSocketConnection, hub: Hub, peer: Peer, still_valid: StillValid) -> None:
        self._socket = socket
        self._hub = hub
        self._peer = peer
        self._still_valid = still_valid
        self._asked: _Asked | None = None
        self._changed = trio.Event()

    async def run(self, ending: trio.Event) -> None:
        """Talk until the client leaves, ``ending`` is set, or a rule ends it: raises :class:`Leave` then."""
        await self._say(type="connected", user=self._peer.name, level=self._peer.level)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._tell)
            nursery.start_soon(self._beat)
            await ending.wait()
            raise Leave(Close.GOING_AWAY, "the supervisor stops")

    async def _say(self, **message: Any) -> None:
        await self._socket.send_message(orjson.dumps(message).decode())

    # What the client says.

    async def _listen(self) -> None:
        while True:
            try:
                message = read(await self._socket.get_message())
            except Malformed as error:
                wrong = str(error)
                break
            match message:
                case Subscribe():
                    await self._subscribe(message)
                case Ack():
                    self._acknowledge(message.seq)
                case Ping():
                    await self._say(type="pong")
                case Authenticate():
                    await self._say(type="error", detail="this connection is signed in already")
        await self._say(type="error", detail=wrong)
        raise Leave(Close.MALFORMED, wrong)

    async def _subscribe(self, wanted: Subscribe) -> None:
        """What was asked before is forgotten. The answer comes before the first event, and what is gone after it."""
        if self._asked is not None:
            self._asked.scope.cancel()
        after = self._hub.last if wanted.after is None else wanted.after
        gap = None if wanted.after is None else await self._hub.runtime.event_reader.gap(wanted.after)
        if gap is not None:
            after = gap.resume
        await self._say(type="subscribed", after=after)
        if gap is not None:
            await self._say(type="gap", **attrs.asdict(gap))
        self._asked = _Asked(wanted, after)
        self._changed.set()
        self._changed = trio.Event()

    def _acknowledge(self, seq: int) -> None:
        if (asked := self._asked) is None:
            return
        while asked.unacknowledged and asked.unacknowledged[0] <= seq:
            asked.unacknowledged.popleft()
        asked.room.set()
        asked.room = trio.Event()

    # What the client is told.

    async def _tell(self) -> None:
        done: _Asked | None = None
        while True:
            while (asked := self._asked) is None or asked is done:
                await self._changed.wait()
            with asked.scope:
                await self._serve(asked)
            done = asked

    async def _serve(self, asked: _Asked) -> None:
        """From the ring where it reaches back far enough, from rows until then. Ends by cancellation alone.

        Who resumes begins with rows: nothing in the ring may mean that nothing has happened yet.
        """
        resumes = asked.wanted.after is not None and asked.after is not None
        from_rows = resumes and not self._hub.covers(asked.after or 0)
        while True:
            if from_rows:
                await self._serve_rows(asked)
            batch = self._hub.after(asked.after)
            from_rows = batch is None
            for told in batch or ():
                await self._pass_on(asked, told)
            if batch == []:
                await self._hub.wait_beyond(asked.after)

    async def _serve_rows(self, asked: _Asked) -> None:
        wanted = asked.wanted
        filters: EventFilters = {
            "job_id": wanted.job_id, "types": wanted.types, "user_id": self._peer.only_user or wanted.user,
        }  # fmt: skip
        async with self._hub.runtime.events(after=asked.after, **filters) as changes:
            async for event in changes:
                await self._pass_on(asked, await self._hub.told(event))
                if self._hub.covers(event.seq):
                    return

    async def _pass_on(self, asked: _Asked, told: Told) -> None:
        if asked.wants(told, self._peer.only_user):
            await self._wait_for_room(asked)
            began = trio.current_time()
            await self._socket.send_message(told.text)
            if asked.wanted.window is not None:
                asked.unacknowledged.append(told.seq)
            if trio.current_time() - began > SLOW_SECONDS:
                raise Leave(Close.SLOW, f"too slow; resume after {told.seq}")
        asked.after = told.seq

    async def _wait_for_room(self, asked: _Asked) -> None:
        window = asked.wanted.window
        if window is None:
            return
        while len(asked.unacknowledged) >= window:
            with trio.move_on_after(ACK_SECONDS) as waiting:
                await asked.room.wait()
            if waiting.cancelled_caught:
                raise Leave(Close.SLOW, f"not acknowledged; resume after {asked.unacknowledged[0] - 1}")

    async def _beat(self) -> None:
        while True:
            await trio.sleep(BEAT)
            if not await self._still_valid():
                raise Leave(Close.POLICY, "the token has ended")
            with trio.move_on_after(BEAT) as waiting:
                await self._socket.ping()
            if waiting.cancelled_caught:
                raise ConnectionClosed(None)
