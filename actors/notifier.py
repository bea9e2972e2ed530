"""The notifier: delivers the notifications that wait in the outbox and records the outcome of each try.

It serves all targets at the same time. What to send and when is decided in :mod:`actors.jobs.notifications`; the rows
are read and written by :mod:`actors.ledger.notifying`. If it is stopped or killed after a message and before its
record, it sends the same notification again, under the same id.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Concatenate, ParamSpec, TypeVar

import trio

from actors.jobs.notifications import AT_ONCE, MINUTE, Due, Notification, NotificationState, Outcome, plan
from actors.kernel import Clock, Envelope, TickingActor
from actors.ledger import Ledger
from actors.ledger.notifying import (
    Look,
    RecordedTry,
    Tried,
    Waiting,
    end_groups,
    give_up_damaged,
    look,
    merge,
    record,
    to_send,
)
from actors.notification_targets.sending import OpenSender, Send
from actors.store import Transaction
from logconf import bind_correlation_id, get_correlation_id, get_logger
from supervision import faults

T = TypeVar("T")
P = ParamSpec("P")

_logger = get_logger("actors.notifier")

_JITTER = random.SystemRandom().random
AGAIN = 5.0
"""Seconds from a cycle that failed to the next one."""

# Fault points: for each try, before a target is sent anything and before what came of it is kept (subject: the target);
# and on both sides of each write (subject: the function of the ledger).
NOTIFY_BEFORE, NOTIFY_AFTER = "notify.before", "notify.after"
WRITE_BEFORE, WRITE_AFTER = "notify.write.before", "notify.write.after"


class Notifier(TickingActor):
    """Works at start, every minute, when something was written to the outbox, and when a wait between tries ends."""

    concurrent = True
    interval = 60.0
    fault_limit = 5
    fault_message = "Error in notifying"

    def __init__(
        self, ledger: Ledger, clock: Clock, open_sender: OpenSender, jitter: Callable[[], float] = _JITTER
    ) -> None:
        self._ledger = ledger
        self._options = ledger.outbox.options
        self._clock = clock
        self._open_sender = open_sender
        self._jitter = jitter
        self._opened = AsyncExitStack()
        self._outbox = ledger.outbox
        # Of a notifier that was restarted: what is sent is not sent again before its outcome is recorded.
        self._in_flight = {one.notification_id: "" for one in self._outbox.tried}
        self._next = math.inf
        self._send: Send

    async def on_start(self) -> None:
        """Open the sender."""
        self._send = await self._opened.enter_async_context(self._open_sender())

    async def on_stop(self) -> None:
        """Close the sender."""
        await self._opened.aclose()

    def next_tick(self) -> float:
        """Return when to work next: at the regular time, or earlier when a wait between two tries is over."""
        return min(super().next_tick(), self._next)

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        """Record the outcomes of the tries, then send what is due."""
        outbox = self._outbox
        self._next = trio.current_time() + AGAIN
        outbox.has_news = False
        is_done = False
        try:
            await self._record()
            found = await self._look()
            if found.has_ended_group:
                await self._write(end_groups)
                found = await self._look()
            outbox.awaits_groups = found.awaits_groups
            self._next = min([await self._serve_target(one) for one in found.waiting], default=math.inf)
            is_done = True
        finally:
            outbox.has_news |= not is_done  # then the next cycle, or the next notifier, looks
            outbox.failures = 0 if is_done else outbox.failures + 1

    async def _write(self, verb: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if faults.active is not None:
            await faults.async_point(WRITE_BEFORE, verb.__name__)
        result = await self._ledger.write(verb, *args, **kwargs)
        if faults.active is not None:
            await faults.async_point(WRITE_AFTER, verb.__name__)
        return result

    async def _look(self) -> Look:
        under_way = list(self._in_flight.values())
        full = {target for target in under_way if under_way.count(target) >= AT_ONCE}
        return await self._ledger.read(look, self._clock.now(), full)

    async def _serve_target(self, waiting: Waiting) -> float:
        """Send to one target what may be sent now. Return when to look again (trio's time)."""
        now, sent = trio.current_time(), self._outbox.sent[waiting.target]
        while sent and sent[0] + MINUTE <= now:
            sent.popleft()
        ready = [one for one in waiting.due if one.notification_id not in self._in_flight]
        in_flight = sum(target == waiting.target for target in self._in_flight.values())
        decided = plan(ready, in_flight, sent, now, self._options.per_minute)
        if decided.digest:
            await self._write(merge, waiting.target, [one.notification_id for one in decided.digest])
            self.wake()
        await self._start(decided.send)
        moments = [] if waiting.next_at is None else [self._clock.look_again(waiting.next_at)]
        return min([*moments, *([] if decided.look_again is None else [decided.look_again])], default=math.inf)

    async def _start(self, chosen: Sequence[Due]) -> None:
        if not chosen:
            return
        numbers = [one.notification_id for one in chosen]
        found, disabled = await self._ledger.read(to_send, numbers)
        if lost := set(numbers).difference(one.notification_id for one in found):
            await self._write(give_up_damaged, sorted(lost))
        for one in found:
            self._in_flight[one.notification_id] = one.target
            if one.target in self._options.targets and one.target not in disabled:  # else nothing is sent
                self._outbox.sent[one.target].append(trio.current_time())
            self.nursery.start_soon(self._send_one, one, disabled.get(one.target), name=f"notify {one.target}")

    async def _send_one(self, one: Notification, disabled: str | None) -> None:
        """Make one try; the next cycle records its outcome."""
        if faults.active is not None:
            await faults.async_point(NOTIFY_BEFORE, one.target)
        outcome = await self._outcome(one, disabled)
        if faults.active is not None:
            await faults.async_point(NOTIFY_AFTER, one.target)
        self._outbox.tried.append(Tried(one.notification_id, outcome))
        self.wake()

    async def _outcome(self, one: Notification, disabled: str | None) -> Outcome:
        target = self._options.targets.get(one.target)
        if target is None:
            return Outcome(f"the configuration has no notification target {one.target}")
        if disabled is not None:
            return Outcome(f"the target is disabled: {disabled}")
        try:
            return await self._send(one, target)
        except Exception as error:  # the border of a message: a fault of one must not end the others
            _logger.exception("Error while sending a notification", extra={"target": one.target})
            return Outcome(f"{type(error).__name__}: {error}")

    async def _record(self) -> None:
        tried = list(self._outbox.tried)
        if not tried:
            return
        recorded = await self._write(record, tried, jitter=self._jitter)
        del self._outbox.tried[: len(tried)]
        for one in tried:
            self._in_flight.pop(one.notification_id, None)
        for found in recorded:
            _log(found)


def _log(found: RecordedTry) -> None:
    """Write one log line for a try: WARNING where the notification was given up, DEBUG where it was delivered."""
    one = found.notification
    extra: dict[str, object] = {"target": one.target, "type": one.type.value, "notification_id": one.notification_id}
    if one.job_id is not None:
        extra["job_id"] = one.job_id
    with bind_correlation_id(one.correlation_id or get_correlation_id()):
        if found.state is NotificationState.DELIVERED:
            _logger.debug("Notification delivered", extra=extra)
        elif found.state is NotificationState.GIVEN_UP:
            _logger.warning("Notification given up: %s", found.failure, extra=extra)
        else:
            extra["wait_seconds"] = found.wait
            _logger.info("Notification not delivered yet: %s", found.failure, extra=extra)
