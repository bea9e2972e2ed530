"""One client, from its acceptance to its close: its messages are read, events are sent, its connection is checked.

Nothing is queued. A subscription is one reader of events (:mod:`actors.control.event_reader`), which takes the next
event when the client has taken the one before. The connection of a client that takes none is closed, with the number
after which to resume. At most one subscription is served: a new one cancels the one before, which may be in the middle
of an event; that event's frame is written completely (:class:`actors.feed.server.FrameStream`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
import orjson
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from actors.access.peer import Peer
from actors.control.runtime import Runtime
from actors.documents.common import encoded
from actors.documents.events import event_document
from actors.feed.messages import Ack, Authenticate, Close, CloseConnection, Malformed, Ping, Subscribe, read
from actors.jobs.records import Event
from actors.jobs.refusal import Refused
from actors.store.errors import StoreError

BEAT = 20.0
"""Seconds between two pings, and within which each must be answered; the token is checked as often."""
SLOW_SECONDS = 5.0
"""If a client takes longer than these seconds for a message, it is the last one; the close frame says where to
resume.
"""
ACK_SECONDS = 60.0
"""Seconds for which a full window may stay unacknowledged."""

StillValid = Callable[[], Awaitable[bool]]


@attrs.define
class _Subscription:
    """A subscription that is being served. ``unacknowledged``: numbers of events that were sent, the oldest first."""

    filters: Subscribe
    unacknowledged: deque[int] = attrs.field(factory=deque)
    acknowledged: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)


class Connection:
    """Serves ``peer`` over ``socket`` until the client leaves or the connection is to be closed."""

    def __init__(self, socket: WebSocketConnection, runtime: Runtime, peer: Peer, still_valid: StillValid) -> None:
        self._socket = socket
        self._runtime = runtime
        self._peer = peer
        self._still_valid = still_valid
        self._subscription: _Subscription | None = None

    async def run(self, ending: trio.Event) -> None:
        """Serve until the client leaves or ``ending`` is set. Raises :class:`CloseConnection` if a rule ends the
        connection.
        """
        await self._send(type="connected", user=self._peer.name, level=self._peer.level)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, nursery)
            nursery.start_soon(self._check_alive)
            nursery.start_soon(self._check_token)
            await ending.wait()
            raise CloseConnection(Close.GOING_AWAY, "the supervisor stops")

    async def _send(self, **message: Any) -> None:
        await self._socket.send_message(orjson.dumps(message).decode())

    async def _receive(self, nursery: trio.Nursery) -> None:
        while True:
            text = await self._socket.get_message()
            try:
                message: Any = read(text)
            except Malformed as error:
                message = error
            match message:
                case Malformed():
                    await self._send(type="error", detail=str(message))
                    raise CloseConnection(Close.MALFORMED, str(message))
                case Subscribe():
                    await self._subscribe(message, nursery)
                case Ack():
                    self._acknowledge(message.seq)
                case Ping():
                    await self._send(type="pong")
                case Authenticate():
                    await self._send(type="error", detail="this connection is signed in already")

    async def _subscribe(self, filters: Subscribe, nursery: trio.Nursery) -> None:
        """Replace the subscription. The answer is sent before the first event, and a gap after the answer."""
        if self._subscription is not None:
            self._subscription.scope.cancel()
        if filters.job_id is not None:
            try:
                named = await self._runtime.jobs.named(filters.job_id, self._peer.viewer, newest=True)
            except Refused as error:
                raise CloseConnection(Close.POLICY, str(error)) from None
            filters = attrs.evolve(filters, job_id=named.job.job_id)
        after, gap = await self._runtime.event_reader.place_to_begin(filters.after)
        about = {} if filters.job_id is None else {"job_id": filters.job_id}
        await self._send(type="subscribed", after=after, **about)
        if gap is not None:
            await self._send(type="gap", **attrs.asdict(gap))
        self._subscription = _Subscription(filters)
        nursery.start_soon(self._send_events, self._subscription, after)

    def _acknowledge(self, seq: int) -> None:
        if (subscription := self._subscription) is None:
            return
        while subscription.unacknowledged and subscription.unacknowledged[0] <= seq:
            subscription.unacknowledged.popleft()
        subscription.acknowledged.set()
        subscription.acknowledged = trio.Event()

    async def _send_events(self, subscription: _Subscription, after: int) -> None:
        """Send every event after number ``after`` that is requested and that the client may see, until cancelled."""
        filters, only_user = subscription.filters, self._peer.only_user
        with subscription.scope:
            try:
                async with self._runtime.events(
                    after=after, job_id=filters.job_id, types=filters.types, user_id=only_user or filters.user
                ) as events:
                    async for event in events:
                        if filters.user in (None, event.user_id):
                            await self._send_event(subscription, event)
                            after = event.seq
            except StoreError:
                raise CloseConnection(Close.GOING_AWAY, f"events cannot be read; resume after {after}") from None

    async def _send_event(self, subscription: _Subscription, event: Event) -> None:
        await self._wait_for_window(subscription)
        began = trio.current_time()
        await self._socket.send_message(encoded(event_document(event)).decode())
        if subscription.filters.window is not None:
            subscription.unacknowledged.append(event.seq)
        if trio.current_time() - began > SLOW_SECONDS:
            raise CloseConnection(Close.SLOW, f"too slow; resume after {event.seq}")

    async def _wait_for_window(self, subscription: _Subscription) -> None:
        window = subscription.filters.window
        if window is None:
            return
        while len(subscription.unacknowledged) >= window:
            with trio.move_on_after(ACK_SECONDS) as waiting:
                await subscription.acknowledged.wait()
            if waiting.cancelled_caught:
                why = f"not acknowledged; resume after {subscription.unacknowledged[0] - 1}"
                raise CloseConnection(Close.SLOW, why)

    async def _check_token(self) -> None:
        while True:
            await trio.sleep(BEAT)
            with suppress(StoreError):  # the next time, then
                if not await self._still_valid():
                    raise CloseConnection(Close.POLICY, "the token has ended")

    async def _check_alive(self) -> None:
        while True:
            await trio.sleep(BEAT)
            with trio.move_on_after(BEAT) as waiting:
                await self._socket.ping()
            if waiting.cancelled_caught:
                raise ConnectionClosed(None)
