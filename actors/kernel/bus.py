"""The bus: delivers notices of what was committed to its subscribers.

Publishing is synchronous and puts notices into bounded mailboxes, so a slow subscriber loses notices of its own (and
knows how many), and never delays the publisher. A notice is a hint, the row is the truth: a subscriber that lost some
reads rows.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from actors.kernel.envelope import Envelope
from actors.kernel.errors import MailboxFull
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import ActorRef
from logconf import get_logger

_logger = get_logger("actors.kernel.bus")

Filter = Callable[[Any], bool]


class Bus:
    """Subscriptions, and :meth:`publish`. It has no task and no lock, and need not be started or stopped."""

    def __init__(self) -> None:
        self._subscriptions: dict[Subscription, None] = {}  # for its order: that of subscribing

    def subscribe(
        self, *types: type, into: ActorRef | Mailbox | None = None, where: Filter | None = None, capacity: int = 256
    ) -> Subscription:
        """Deliver each message of these ``types`` (none: all) for which ``where`` holds, until the subscription is
        closed.

        ``into``: the actor or mailbox that gets them, whose overflow policy applies. Without it the subscription has a
        mailbox of its own with ``capacity``, is read by ``async for``, and loses the newest message when the mailbox is
        full.
        """
        subscription = Subscription(self, types, where, Mailbox(capacity, "reject") if into is None else into)
        self._subscriptions[subscription] = None
        return subscription

    def publish(self, envelope: Envelope) -> None:
        """Deliver to every matching subscriber, each with an envelope of its own. Never blocks, never raises."""
        for subscription in list(self._subscriptions):
            try:
                subscription.offer(envelope)
            except Exception:  # a subscriber's filter must not make a commit look failed
                subscription.lost += 1
                _logger.exception("A subscriber could not be notified", extra={"subscriber": subscription.name})

    def forget(self, subscription: Subscription) -> None:
        """Deliver no more to ``subscription``; its ``close`` calls this."""
        self._subscriptions.pop(subscription, None)


class Subscription:
    """One subscription. Close it, or use it as a ``with`` block; closing is idempotent.

    ``lost``: how many messages it lost since :meth:`take_lost`. Iterating yields envelopes and ends with :meth:`close`.
    """

    def __init__(self, bus: Bus, types: tuple[type, ...], where: Filter | None, into: ActorRef | Mailbox) -> None:
        self.actor = into if isinstance(into, ActorRef) else None
        self.mailbox = into.mailbox if isinstance(into, ActorRef) else into
        self.name = self.mailbox.owner or "a subscriber"
        self.lost = 0
        self._bus = bus
        self._types = types or (object,)
        self._where = where
        self._closed = False

    def offer(self, envelope: Envelope) -> None:
        """Deliver ``envelope`` if its message matches; called by the bus."""
        message = envelope.message
        if not isinstance(message, self._types) or (self._where is not None and not self._where(message)):
            return
        if self.actor is not None and self.actor.state == "gone":
            self.lost += 1
            return
        dropped = self.mailbox.dropped
        try:
            self.mailbox.put_nowait(envelope.copy())
        except MailboxFull:
            self.lost += 1
        self.lost += self.mailbox.dropped - dropped

    def take_lost(self) -> int:
        """How many messages were lost since the last call of this."""
        lost, self.lost = self.lost, 0
        return lost

    def close(self) -> None:
        """End the subscription; a reader still gets what is queued, then its iteration ends."""
        self._closed = True
        self._bus.forget(self)
        self.mailbox.wake()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Envelope:
        while True:
            if not self._closed:
                await self.mailbox.wait()
            if (envelope := self.mailbox.take()) is not None:
                return envelope
            if self._closed:
                raise StopAsyncIteration
