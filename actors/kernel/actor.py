"""The actor: one task that handles one message at a time, and the shape every long-lived actor has.

    class Counter(Actor):
        async def on_start(self) -> None: ...            # short: the supervisor waits for it
        async def after_ready(self) -> None: ...         # what takes longer, before the first message
        async def handle(self, message): ...             # -> the reply
        async def on_stop(self) -> None: ...             # the one clean-up path, however it ends

    counter = ActorRef("counter")
    async with open_supervisor([actor_spec(counter, Counter)]):
        await counter.call(Add(1))

State lives in the instance and dies with it: each incarnation is a new one from the factory. The mailbox lives
in the reference and stays, so a crash loses the message that caused it (to the quarantine) and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import trio

from actors.kernel.calls import ErrorReply
from actors.kernel.context import current_correlation_id, set_checked_id
from actors.kernel.envelope import Envelope, Handling, handling
from actors.kernel.errors import ActorDown, ActorError
from actors.kernel.ref import ActorRef
from actors.kernel.system import LAST, Inspect, Inspection, Stop, Suspend
from actors.kernel.timers import Timer, Timers
from logconf import get_logger
from supervision import faults

#: Fault points round the handling of a message; the subject is the actor's name.
RECEIVE_BEFORE, RECEIVE_AFTER = "receive.before", "receive.after"

#: Messages handled before other tasks get their turn.
BATCH = 100

_logger = get_logger("actors.kernel.actor")


class Actor:
    """Subclass it, override what you need; a subclass may have an ``__init__`` of its own and need not call
    this one's.

    ``redeliver``: how often a message that crashed its handler is delivered again, first in line, before it is
    quarantined. ``concurrent``: give each incarnation a ``nursery`` for work beside the mailbox; it is
    cancelled after ``on_stop``, and a crash in it is the actor's. ``stop_grace``: seconds that ``on_stop`` has
    when the actor is being cancelled.
    """

    redeliver: ClassVar[int] = 0
    concurrent: ClassVar[bool] = False
    stop_grace: ClassVar[float] = 5.0

    ref: ActorRef
    slot: Handling
    nursery: trio.Nursery
    suspended: bool = False
    stopping: bool = False  # a stop was asked for; what is queued may still be handled
    heartbeat: Callable[[], object] | None = None
    heartbeat_every: float = math.inf
    _timers: Timers | None = None
    _ended: bool = False

    # -- To override

    async def on_start(self) -> None:
        """Get ready; what it raises is a failed start. Keep it short."""

    async def after_ready(self) -> None:
        """Runs once after the start was reported and before the first message."""

    async def handle(self, message: Any) -> Any:
        """Handle one message; what it returns is a caller's reply (:class:`ErrorReply` raises there).

        What it raises reaches the caller as the cause of ActorDown, and fails the actor.
        """
        return self.unexpected(message)

    async def on_stop(self) -> None:
        """Clean up.

        Exactly once for each incarnation, after a failed ``on_start`` too, shielded for ``stop_grace`` s.
        """

    async def run_loop(self) -> None:
        """The incarnation's life between ``after_ready`` and ``on_stop``."""
        while await self.serve():
            pass

    def describe(self) -> Mapping[str, Any]:
        """Details for ``ActorRef.inspect()``."""
        return {}

    # -- To use

    def unexpected(self, message: Any) -> ErrorReply:
        """For the last case of a handler: logs the message nobody expected, and is the reply that says so."""
        kind = type(message).__name__
        name = self.ref.name
        _logger.warning("Unexpected message for %s", name, extra={"actor": name, "message_type": kind})
        return ErrorReply(ActorError(f"actor {name!r} does not understand {kind}"))

    def send_after(self, delay: float, message: Any) -> Timer:
        """Send ``message`` to oneself in ``delay`` seconds. Ends with the incarnation."""
        return self._set_timer(message, delay, None)

    def send_every(self, interval: float, message: Any) -> Timer:
        """Send ``message`` to oneself every ``interval`` seconds on a fixed beat, first in ``interval`` seconds."""
        return self._set_timer(message, interval, interval)

    async def serve(self, until: float = math.inf) -> bool:
        """Wait for messages, or for trio time ``until``, and handle what is there, a batch at most.

        False: end the loop.
        """
        mailbox = self.ref.mailbox
        if self._timers is not None:
            until = min(until, self._timers.next_due())
        if self.heartbeat is not None:
            until = min(until, trio.current_time() + self.heartbeat_every)
        await mailbox.wait(until)
        if self.heartbeat is not None:
            self.heartbeat()
        if self._timers is not None:
            for message in self._timers.take_due():
                self.ref.notice(message)
        await self._drain()
        return not self._ended

    # -- The machinery

    async def _drain(self) -> None:
        # The path of every message. It reads the mailbox's queue itself: a method call each would be a tenth of it.
        mailbox, handle, heartbeat, slot = self.ref.mailbox, self.handle, self.heartbeat, self.slot
        queue, concurrent, plan, no_deadline = mailbox.queue, self.concurrent, faults.active, math.inf
        if mailbox.held and self._obey_all():
            return
        envelope: Envelope | None = None
        try:
            for count in range(BATCH):  # noqa: B007 - read in finally
                if (mailbox.system and self._obey_all()) or not queue:
                    break
                envelope = queue.popleft()
                if mailbox.burdened:
                    mailbox.follow_up(envelope)
                port = None
                if envelope.deadline != no_deadline:  # every call has one
                    if self._is_past(envelope):
                        if self._ended:
                            break
                        continue
                    port = envelope.reply
                if envelope.correlation_id != current_correlation_id():
                    set_checked_id(envelope.correlation_id)
                if concurrent:
                    slot = Handling(self.ref)
                    handling.set(slot)
                slot.envelope = envelope
                if plan is not None:
                    await faults.async_point(RECEIVE_BEFORE, self.ref.name)
                reply = await handle(envelope.message)
                if plan is not None:
                    await faults.async_point(RECEIVE_AFTER, self.ref.name)
                if port is not None:
                    port.answer(reply)
                elif type(reply) is ErrorReply:
                    self._unheard(reply)
                envelope = None
                if heartbeat is not None:
                    heartbeat()
            else:
                count = BATCH
        except BaseException as error:  # the actor loop: the caller is answered, then it is raised again
            if envelope is not None:
                self._crashed(envelope, error)
            raise
        finally:
            mailbox.taken += count
        if slot.envelope is not None:
            self.unbind()

    def _is_past(self, envelope: Envelope) -> bool:
        if envelope is LAST:
            self._ended = True
        elif envelope.deadline <= trio.current_time():
            self.ref.dead_letters.record(envelope, self.ref.name, "expired")
        else:
            return False
        return True

    def bind(self, envelope: Envelope) -> None:
        """What is sent and logged from now on in this task is because of ``envelope``."""
        if self.concurrent:
            self.slot = Handling(self.ref)
            handling.set(self.slot)
        self.slot.envelope = envelope
        set_checked_id(envelope.correlation_id)

    def unbind(self) -> None:
        """Nothing is being handled."""
        set_checked_id(None)
        if self.concurrent:
            self.slot = Handling(self.ref)
            handling.set(self.slot)
        self.slot.envelope = None

    def _obey_all(self) -> bool:
        """Whether, after all that the system says, nothing queued may be handled now."""
        system = self.ref.mailbox.system
        while system:
            self._obey(system.popleft())
        return self._ended or self.suspended

    def _obey(self, message: object) -> None:
        if isinstance(message, Inspect):
            ref = self.ref
            message.reply.answer(
                Inspection(ref.name, ref.incarnation, self.suspended, ref.mailbox.statistics(), self.describe())
            )
        elif isinstance(message, Stop):
            self.stopping = True
            self._suspend(False)
            if not message.drain:
                self._ended = True
                self.ref.purge("stopped")
        else:
            self._suspend(isinstance(message, Suspend))

    def _suspend(self, suspended: bool) -> None:
        self.suspended = suspended
        self.ref.mailbox.hold(suspended)

    def _crashed(self, envelope: Envelope, error: BaseException) -> None:
        ref = self.ref
        if not is_failure(error):
            ref.refuse(envelope, "interrupted")
            return
        if envelope.reply is not None:
            envelope.reply.fail(ActorDown(ref.name, "failed", error))
        if envelope.attempt <= self.redeliver:
            ref.mailbox.put_anyway(envelope.again(), first=True)
        else:
            ref.quarantine.add(envelope, ref.name, error, ref.again)

    def _unheard(self, reply: ErrorReply) -> None:
        _logger.warning(
            "%s answered a cast with an error: %s", self.ref.name, reply.error,
            extra={"actor": self.ref.name, "error": repr(reply.error)},
        )  # fmt: skip

    def _set_timer(self, message: Any, delay: float, interval: float | None) -> Timer:
        if self._timers is None:
            self._timers = Timers()
        timer = self._timers.add(message, delay, interval)
        self.ref.mailbox.wake()
        return timer


def is_failure(error: BaseException) -> bool:
    """Whether the handler failed, rather than was stopped in the middle: a group may hold both."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(Exception)[0] is not None
    return isinstance(error, Exception)
