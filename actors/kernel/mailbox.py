"""The mailbox: a bounded memory channel of envelopes with one reader, and what a channel cannot do.

**States.** A message that was accepted is in one of two places, each first in, first out:

- the channel, which holds ``capacity``; behind it, in trio's own order, the senders that wait for room.
- ``_unbounded``: what must be neither refused nor dropped: notices (of monitors and timers), the drain marker, and in
  front of them the message that crashed its handler and is to be handled again.

System messages (stop, suspend, resume, inspect) do not stand in this queue. ``system`` holds them, and while it holds
any, or while the mailbox is ``suspended``, :meth:`Mailbox.take` gives nothing: so the reader sees them first.

**Order.** The number of a message is its envelope's ``id``, given when it is sent, before it waits for room. So numbers
rise in the channel, and in ``_unbounded`` too. The reader takes the smaller of the two heads: a notice comes after all
that was sent before it, however full the channel is, and a message that was taken once comes before all that are
queued. Nobody can peek into a channel: its head is taken ahead (``_ahead``) to be compared. A reader that sleeps in
``receive()`` is handed the next message ahead, too. While one is taken ahead, one more than ``capacity`` may be here.

**Invariants.** Where a sender waits, the channel is full. ``_keys`` holds the keys of queued messages, by number; no
two are equal. Messages that waited for room have none.

**Between two lines.** Only :meth:`Mailbox.put` and :meth:`Mailbox.wait` have checkpoints, so nobody else sees a message
in two places or in none, and KeyboardInterrupt waits until they are through. In ``put`` a sender may be cancelled while
it waits: trio takes its message out at once. In ``wait`` trio either hands over a message or raises Cancelled, never
both. Between being handed a message and running, the reader sleeps no more, and the message is counted though it is
in no queue. While suspended the reader must take nothing, so it sleeps at a channel of its own, with one place.
:meth:`Mailbox.wake` sends None, and only to a reader that sleeps, so that no None is ever queued. A crash of the reader
leaves all but the message in its hand where it is: the next incarnation goes on there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Literal

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from actors.kernel.envelope import Envelope
from actors.kernel.errors import MailboxFull
from supervision import checks


class Overflow(checks.Choice):
    """What happens to a message that finds the mailbox full.

    ``block``: an async sender waits, a sync one gets :class:`MailboxFull`. ``reject``: both get it.
    ``drop_oldest``, ``drop_newest``: somebody's message is dropped and counted; an actor's goes to the dead
    letters.
    """

    BLOCK = "block"
    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


@attrs.frozen
class MailboxStatistics:
    """A snapshot. ``received`` = ``taken`` + ``depth`` + the messages that were dropped after they had been queued."""

    capacity: int
    depth: int
    high_water: int  # the most that stood in the channel; what a sleeping reader is handed never stands there
    taken: int
    coalesced: int
    dropped: int
    rejected: int
    waiting_senders: int


class Mailbox:
    """A bounded queue of envelopes.

    ``capacity``: messages, 64 by default: enough for some bursts, and few enough that a stuck actor is noticed.
    ``overflow``: see :class:`Overflow`. ``coalesce``: a function from a message to a key; a queued message of the same
    key absorbs the new one, which is counted and is no loss (the queued one says the same). Calls, and messages whose
    key is None, are never absorbed, and a message that had to wait for room absorbs none.

    Raises ValueError for a capacity below one and for an unknown policy.
    """

    __slots__ = (
        "_ahead", "_asleep_at", "_coalesce", "_coalesced", "_keys", "_receive", "_rejected", "_send", "_taken",
        "_unbounded", "capacity", "dropped", "on_drop", "overflow", "owner", "suspended", "system",
    )  # fmt: skip

    def __init__(
        self,
        capacity: int = 64,
        overflow: Overflow | Literal["block", "reject", "drop_oldest", "drop_newest"] = Overflow.BLOCK,
        coalesce: Callable[[Any], Hashable] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity!r}")
        self.capacity = capacity
        self.overflow = Overflow(overflow)
        self.owner = ""
        self.on_drop: Callable[[Envelope], object] = lambda _: None
        self.suspended = False
        self.system: list[Any] = []
        self._send, self._receive = trio.open_memory_channel[Envelope](capacity)
        self._asleep_at: trio.MemorySendChannel[Any] | None = None
        self._ahead: Envelope | None = None
        self._unbounded: deque[Envelope] = deque()
        self._coalesce = coalesce
        self._keys: dict[int, Hashable] = {}
        self._taken = self.dropped = self._coalesced = self._rejected = 0

    def __len__(self) -> int:
        channel = self._send.statistics()
        handed = self._asleep_at is self._send and not channel.tasks_waiting_receive
        return channel.current_buffer_used + handed + (self._ahead is not None) + len(self._unbounded)

    def statistics(self) -> MailboxStatistics:
        """Depth, high-water mark and counters, now."""
        channel = self._send.statistics()
        return MailboxStatistics(
            self.capacity, len(self), channel.peak_buffer_used, self._taken, self._coalesced, self.dropped,
            self._rejected, channel.tasks_waiting_send,
        )  # fmt: skip

    # -- Sending

    @enable_ki_protection
    def put_nowait(self, envelope: Envelope) -> None:
        """Queue ``envelope``, or do what the overflow policy says: MailboxFull under ``block`` and ``reject``."""
        if self._coalesce is not None and self._absorbs(envelope):
            return
        try:
            self._send.send_nowait(envelope)
        except trio.WouldBlock:
            if self._make_room(envelope):
                self._send.send_nowait(envelope)

    @enable_ki_protection
    async def put(self, envelope: Envelope) -> None:
        """Queue ``envelope``. Under ``block`` wait for room, in the senders' order; else like :meth:`put_nowait`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.must_wait():
            self.put_nowait(envelope)
            await trio.lowlevel.cancel_shielded_checkpoint()
        elif self._coalesce is None or not self._absorbs(envelope):
            self._keys.pop(envelope.id, None)
            await self._send.send(envelope)

    def must_wait(self) -> bool:
        """Whether :meth:`put` would wait for room now."""
        return self.overflow is Overflow.BLOCK and self._send.statistics().current_buffer_used >= self.capacity

    @enable_ki_protection
    def put_unbounded(self, envelope: Envelope) -> None:
        """Queue ``envelope`` in its order, regardless of the capacity: it is neither refused nor dropped."""
        self._unbounded.append(envelope)
        self.wake()

    @enable_ki_protection
    def redeliver(self, envelope: Envelope) -> None:
        """Queue ``envelope``, which was taken before, in front of all others, regardless of the capacity."""
        self._unbounded.appendleft(envelope)
        self.wake()

    @enable_ki_protection
    def put_system(self, message: Any) -> None:
        """Queue ``message`` so that the reader sees it before all other messages; it is never refused."""
        self.system.append(message)
        self.wake()

    @enable_ki_protection
    def wake(self) -> None:
        """End the reader's wait, if it waits."""
        if self._asleep_at is not None and self._asleep_at.statistics().tasks_waiting_receive:
            self._asleep_at.send_nowait(None)

    # -- Receiving

    @enable_ki_protection
    async def wait(self, until: float = math.inf) -> None:
        """Wait until something can be taken, or until trio time ``until``. Always a checkpoint.

        May return early without a message. Raises trio.BusyResourceError if another task waits already.
        """
        if self._asleep_at is not None:
            raise trio.BusyResourceError("another task waits at this mailbox; it has one reader")
        if self.system or (not self.suspended and (self._unbounded or self._ahead is not None)):
            await trio.lowlevel.checkpoint()
            return
        send, receive = trio.open_memory_channel[Any](1) if self.suspended else (self._send, self._receive)
        self._asleep_at, item = send, None
        try:
            if until == math.inf:
                item = await receive.receive()
            else:
                with trio.move_on_at(until):
                    item = await receive.receive()
        finally:
            self._asleep_at = None
        if item is not None:
            self._ahead = item

    def take(self) -> Envelope | None:
        """Remove and return the next envelope. None if there is none, while suspended, and while a system message
        waits.
        """
        return next(self.take_batch(1), None)

    @enable_ki_protection
    def take_batch(self, limit: int) -> Iterator[Envelope]:
        """Like :meth:`take`, at most ``limit`` times; envelopes that the reader does not ask for stay queued."""
        system, keys, receive_nowait = self.system, self._keys, self._receive.receive_nowait
        for _ in range(0 if self.suspended else limit):
            if system:
                return
            if self._ahead is not None or self._unbounded:
                envelope = self._first_of_both()
            else:
                try:
                    envelope = receive_nowait()
                except trio.WouldBlock:
                    return
            if keys:
                keys.pop(envelope.id, None)
            self._taken += 1
            yield envelope

    @enable_ki_protection
    def clear(self) -> list[Envelope]:
        """Remove all messages, also those of senders that wait for room, which then continue."""
        removed = [*self._unbounded, *([] if self._ahead is None else [self._ahead]), *iter(self._receive_one, None)]
        self._unbounded.clear()
        self._keys.clear()
        self._ahead = None
        return sorted(removed, key=lambda envelope: envelope.id)

    @enable_ki_protection
    def withdraw(self, message: Any) -> None:
        """Take back what :meth:`put_unbounded` queued with this very ``message``, if it is still there."""
        self._unbounded = deque(envelope for envelope in self._unbounded if envelope.message is not message)

    # -- Helpers

    def _absorbs(self, envelope: Envelope) -> bool:
        """Whether a queued message says the same; if not, the key of this one is noted, unless it waits for room."""
        assert self._coalesce is not None
        key = self._coalesce(envelope.message) if envelope.reply is None else None
        if key is None:
            return False
        if key in self._keys.values():
            self._coalesced += 1
            return True
        self._keys[envelope.id] = key
        return False

    def _receive_one(self) -> Envelope | None:
        try:
            return self._receive.receive_nowait()
        except trio.WouldBlock:
            return None

    def _first_of_both(self) -> Envelope:
        """The envelope with the smaller number: the channel's head, which is taken ahead, or the first of the
        unbounded ones.
        """
        head, self._ahead = self._ahead or self._receive_one(), None
        if head is not None and (not self._unbounded or head.id < self._unbounded[0].id):
            return head
        self._ahead = head
        return self._unbounded.popleft()

    def _make_room(self, envelope: Envelope) -> bool:
        """Whether the overflow policy made room for ``envelope``."""
        if self.overflow in (Overflow.BLOCK, Overflow.REJECT):
            self._keys.pop(envelope.id, None)
            self._rejected += 1
            raise MailboxFull(envelope.message, self.capacity, self.owner)
        dropped: Envelope | None = envelope
        if self.overflow is Overflow.DROP_OLDEST:
            dropped = self._receive_one()
            if self._ahead is not None:
                dropped, self._ahead = self._ahead, dropped
        assert dropped is not None
        self._keys.pop(dropped.id, None)
        self.dropped += 1
        self.on_drop(dropped)
        return dropped is not envelope
