"""The mailbox: a bounded queue of envelopes with one reader, which outlives the incarnations of its actor.

Three things a trio memory channel cannot do shape it: a crash must leave the messages behind the crashed one
where they are, so the reader takes them one by one from a queue that is not its own; system messages are seen
before any queued one, though trio has no select over two channels, so both lie behind the same wait; and a
burst is drained without a checkpoint for each.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Literal

import trio
from trio.lowlevel import current_task, enable_ki_protection, reschedule, wait_task_rescheduled

from actors.kernel.envelope import Envelope
from actors.kernel.errors import MailboxFull
from actors.kernel.overflow import MailboxStatistics, Overflow, overflow_policy


class Mailbox:
    """A bounded queue of envelopes.

    ``capacity``: messages, default 64: some bursts deep, and small enough that a stuck actor is noticed.
    ``overflow``: see :class:`Overflow`. ``coalesce``: a function from a message to a key; a waiting message of
    the same key absorbs the new one, which is counted and is no loss (the waiting one says the same). A key of
    None, and a call, are never absorbed.

    Raises ValueError for a capacity below one and for an unknown policy.
    """

    __slots__ = (
        "_coalesce", "_coalesced", "_high_water", "_keys", "_plain_below", "_reader", "_rejected", "_senders",
        "_waiting_keys", "burdened", "capacity", "dropped", "held", "on_drop", "overflow", "owner", "queue", "system",
        "taken",
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
        self.overflow = overflow_policy(overflow)
        self.owner = ""
        self.on_drop: Callable[[Envelope], object] | None = None
        self._coalesce = coalesce
        self.queue: deque[Envelope] = deque()
        self._keys: dict[Envelope, Hashable] | None = None if coalesce is None else {}
        self._waiting_keys: set[Hashable] | None = None if coalesce is None else set()
        self._senders: dict[trio.lowlevel.Task, Envelope] | None = None
        self._reader: trio.lowlevel.Task | None = None
        self.system: deque[Any] | None = None
        self.held = False
        self._plain_below = 0  # below this depth no other look is needed: the high-water mark; 0 with coalescing
        self.burdened = coalesce is not None  # a take has more to do than to take
        self._high_water = self.taken = self._coalesced = self.dropped = self._rejected = 0

    def __len__(self) -> int:
        return len(self.queue)

    def statistics(self) -> MailboxStatistics:
        """Depth, high-water mark and counters, now."""
        return MailboxStatistics(
            self.capacity, len(self.queue), self._high_water, self.taken, self._coalesced, self.dropped, self._rejected,
            len(self._senders or ()),
        )  # fmt: skip

    # -- Sending

    @enable_ki_protection
    def put_nowait(self, envelope: Envelope) -> None:
        """Queue ``envelope``, or do what the overflow policy says.

        Raises MailboxFull under ``block`` and ``reject``.
        """
        queue = self.queue
        if len(queue) >= self._plain_below and not self._accepts(envelope):
            return
        queue.append(envelope)
        if (reader := self._reader) is not None:
            self._reader = None
            reschedule(reader)

    @enable_ki_protection
    async def put(self, envelope: Envelope) -> None:
        """Queue ``envelope``.

        Under ``block`` wait for room, in the order of the senders. Else as :meth:`put_nowait`.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.overflow is not Overflow.BLOCK or len(self.queue) < self.capacity:
            self.put_nowait(envelope)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        if self._keys is not None and self._absorbed(envelope):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        senders = self._senders = self._senders or {}
        self.burdened = True
        task = current_task()
        senders[task] = envelope

        def leave(_raise_cancel: object) -> trio.lowlevel.Abort:
            del senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await wait_task_rescheduled(leave)

    @enable_ki_protection
    def put_system(self, message: Any) -> None:
        """Have ``message`` seen by the reader before anything queued; never refused."""
        if self.system is None:
            self.system = deque()
        self.system.append(message)
        self.wake()

    @enable_ki_protection
    def put_anyway(self, envelope: Envelope, *, first: bool = False) -> None:
        """Queue ``envelope`` beyond the capacity.

        For notices that must not be lost and for redelivery (``first``).
        """
        if first:
            self.queue.appendleft(envelope)
        else:
            self.queue.append(envelope)
        self._high_water = max(self._high_water, min(len(self.queue), self.capacity))
        self.wake()

    # -- Receiving

    @enable_ki_protection
    async def wait(self, until: float = math.inf) -> bool:
        """Wait until something is here to be taken, or until trio time ``until``; True if there is. Always a
        checkpoint.

        May return early and empty-handed after :meth:`wake`. Raises trio.BusyResourceError if somebody waits
        already.
        """
        if self.system or (self.queue and not self.held):
            await trio.lowlevel.checkpoint()
        elif until == math.inf:
            self._sit_down()
            await wait_task_rescheduled(self._stand_up)
        elif until <= trio.current_time():
            await trio.lowlevel.checkpoint()
        else:
            with trio.CancelScope(deadline=until):
                self._sit_down()
                await wait_task_rescheduled(self._stand_up)
        return bool(self.system) or (bool(self.queue) and not self.held)

    @enable_ki_protection
    def take(self) -> Envelope | None:
        """The oldest envelope, removed; None if there is none, or while the queue is held."""
        queue = self.queue
        if not queue or self.held:
            return None
        envelope = queue.popleft()
        self.taken += 1
        if self.burdened:
            self.follow_up(envelope)
        return envelope

    def follow_up(self, envelope: Envelope) -> None:
        """What a take has to do besides, where the mailbox is ``burdened``: the key is free, a sender has room."""
        self._forget_key(envelope)
        if self._senders:
            self._admit()
            self.burdened = bool(self._senders) or self._coalesce is not None

    @enable_ki_protection
    def take_system(self) -> Any | None:
        """The oldest system message, removed; None if there is none."""
        return self.system.popleft() if self.system else None

    async def receive(self) -> Envelope:
        """Wait for one envelope and take it."""
        await self.wait()
        while (envelope := self.take()) is None:
            await self.wait()
        return envelope

    async def receive_batch(self, *, until: float = math.inf, limit: int = 100) -> list[Envelope]:
        """Wait for a wake or for trio time ``until``.

        Take what is there, at most ``limit``: an empty list is the tick.
        """
        await self.wait(until)
        batch: list[Envelope] = []
        while len(batch) < limit and (envelope := self.take()) is not None:
            batch.append(envelope)
        return batch

    @enable_ki_protection
    def wake(self) -> None:
        """End the reader's wait, if it waits."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reschedule(reader)

    def hold(self, held: bool) -> None:
        """While held (a suspended actor), only system messages are seen; the queue goes on filling."""
        self.held = held

    def discard(self, envelope: Envelope) -> None:
        """Take ``envelope`` out, if it is there."""
        if envelope in self.queue:
            self.queue.remove(envelope)

    @enable_ki_protection
    def clear(self) -> list[Envelope]:
        """Take out everything, of senders that wait for room too.

        They go on. What becomes of it is the caller's to say.
        """
        removed = list(self.queue)
        self.queue.clear()
        for envelope in removed:
            self._forget_key(envelope)
        for task, envelope in (self._senders or {}).items():
            removed.append(envelope)
            reschedule(task)
        self._senders = None
        return removed

    # -- Helpers

    def _sit_down(self) -> None:
        if self._reader is not None:
            raise trio.BusyResourceError("another task waits at this mailbox; it has one reader")
        self._reader = current_task()

    def _stand_up(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _absorbed(self, envelope: Envelope) -> bool:
        if self._coalesce is None or self._keys is None or self._waiting_keys is None or envelope.reply is not None:
            return False
        key = self._coalesce(envelope.message)
        if key in self._waiting_keys:
            self._coalesced += 1
            return True
        if key is not None and (len(self.queue) < self.capacity or self.overflow is Overflow.DROP_OLDEST):
            self._keys[envelope] = key
            self._waiting_keys.add(key)
        return False

    def _forget_key(self, envelope: Envelope) -> None:
        # The key is remembered, not computed again: a message may have changed while it waited.
        if self._keys and self._waiting_keys and (key := self._keys.pop(envelope, None)) is not None:
            self._waiting_keys.discard(key)

    def _accepts(self, envelope: Envelope) -> bool:
        if self._keys is not None and self._absorbed(envelope):
            return False
        depth = len(self.queue)
        if depth >= self.capacity and not self._made_room(envelope):
            return False
        self._high_water = max(self._high_water, min(depth + 1, self.capacity))
        if self._keys is None:
            self._plain_below = self._high_water
        return True

    def _made_room(self, envelope: Envelope) -> bool:
        if self.overflow is Overflow.DROP_OLDEST:
            self._drop(self.queue.popleft())
            return True
        if self.overflow is Overflow.DROP_NEWEST:
            self._drop(envelope)
            return False
        self._rejected += 1
        raise MailboxFull(envelope.message, self.capacity, self.owner)

    def _drop(self, envelope: Envelope) -> None:
        self.dropped += 1
        if self._keys:
            self._forget_key(envelope)
        if self.on_drop is not None:
            self.on_drop(envelope)

    def _admit(self) -> None:
        # Until there is one that is not absorbed, so that the invariant holds: whoever waits for room, the
        # queue is full.
        while self._senders and len(self.queue) < self.capacity:
            task = next(iter(self._senders))
            envelope = self._senders.pop(task)
            reschedule(task)
            if self._keys is None or not self._absorbed(envelope):
                self.queue.append(envelope)
