"""The actor: one task that handles one message at a time. Every long-lived actor has this form.

    class Counter(Actor):
        async def on_start(self) -> None: ...            # short: the supervisor waits for it
        async def after_ready(self) -> None: ...         # what takes longer, before the first message
        async def handle(self, message): ...             # -> the reply
        async def on_stop(self) -> None: ...             # the one clean-up path, however it ends

    counter = ActorRef("counter")
    async with open_supervisor([actor_spec(counter, Counter)]):
        await counter.call(Add(1))

State is in the instance and is lost with it: each incarnation is a new instance from the factory. The mailbox is in the
reference and stays, so a crash loses only the message that caused it, which goes into the quarantine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import trio

from actors.kernel.actor_cell import DRAIN_MARKER, Inspect, Inspection, Stop, Suspend
from actors.kernel.calls import ErrorReply
from actors.kernel.envelope import Envelope, Handling, handling
from actors.kernel.errors import ActorDown, ActorError, CallTimeout
from actors.kernel.ref import ActorRef
from actors.kernel.timers import Timer, Timers
from logconf import get_logger
from logconf.context import current_correlation_id, set_checked_correlation_id
from supervision import faults

#: Fault points round the handling of a message; the subject is the actor's name.
RECEIVE_BEFORE, RECEIVE_AFTER = "receive.before", "receive.after"

#: Messages handled before other tasks get their turn.
BATCH = 100

_logger = get_logger("actors.kernel.actor")


class Actor:
    """The base class of actors: override the methods that you need.

    A subclass may have an ``__init__`` of its own and need not call this one's.

    ``redeliver``: how often a message that crashed its handler is delivered again, before all others, before it is
    quarantined. ``concurrent``: each incarnation gets a ``nursery`` for work beside the mailbox; the nursery is
    cancelled after ``on_stop``, and a crash in it is the actor's. ``stop_grace``: seconds that ``on_stop`` has when the
    actor is being cancelled.
    """

    redeliver: ClassVar[int] = 0
    concurrent: ClassVar[bool] = False
    stop_grace: ClassVar[float] = 4.0

    ref: ActorRef
    nursery: trio.Nursery
    stopping: bool = False  # a stop was asked for; what is queued may still be handled
    heartbeat: Callable[[], object] | None = None
    heartbeat_every: float = math.inf
    _handling: Handling
    _timers: Timers
    _ended: bool = False

    def enter(self, ref: ActorRef) -> None:
        """Become the incarnation that ``ref`` runs; called once, before ``on_start``."""
        self.ref, self._handling = ref, Handling(ref, ref.name)
        handling.set(self._handling)
        self._timers = Timers()

    # -- To override

    async def on_start(self) -> None:
        """Prepare the actor. If this raises, the start has failed. Keep it short."""

    async def after_ready(self) -> None:
        """Runs once after the start was reported and before the first message."""

    async def handle(self, message: Any) -> Any:
        """Handle one message and return the reply for a caller (an :class:`ErrorReply` is raised in the caller).

        What this raises reaches the caller as the cause of ActorDown, and fails the actor.
        """
        return self.unexpected(message)

    async def on_stop(self) -> None:
        """Clean up.

        Runs exactly once for each incarnation, also after a failed ``on_start``, shielded for ``stop_grace`` seconds.
        """

    async def run_loop(self) -> None:
        """Run the loop of the incarnation, between ``after_ready`` and ``on_stop``."""
        while await self.serve():
            pass

    def describe(self) -> Mapping[str, Any]:
        """Details for ``ActorRef.inspect()``."""
        return {}

    # -- To use

    def unexpected(self, message: Any) -> ErrorReply:
        """Refuse an unknown message, as the last case of a handler: logs it and returns the reply that refuses it."""
        kind = type(message).__name__
        name = self.ref.name
        _logger.warning("Unexpected message for %s", name, extra={"actor": name, "message_type": kind})
        return ErrorReply(ActorError(f"actor {name!r} does not understand {kind}"))

    def send_after(self, delay: float, message: Any) -> Timer:
        """Send ``message`` to this actor itself in ``delay`` seconds. Cancelled when the incarnation ends."""
        return self._set_timer(message, delay, None)

    def send_every(self, interval: float, message: Any) -> Timer:
        """Send ``message`` to this actor itself every ``interval`` seconds, at fixed times; the first after
        ``interval`` seconds.
        """
        return self._set_timer(message, interval, interval)

    async def serve(self, until: float = math.inf) -> bool:
        """Wait for messages, or until trio time ``until``, and handle the messages that are there, at most one batch.

        Returns False to end the loop.
        """
        mailbox = self.ref.mailbox
        if not mailbox.suspended:
            until = min(until, self._timers.next_due())
        if self.heartbeat is not None:
            until = min(until, trio.current_time() + self.heartbeat_every)
        await mailbox.wait(until)
        if self.heartbeat is not None:
            self.heartbeat()
        while mailbox.system:
            self._obey(mailbox.system.pop(0))
        if not mailbox.suspended:
            for message in self._timers.take_due():
                self.ref.notice(message)
        if not self._ended:
            await self._handle_batch()
        return not self._ended

    @property
    def suspended(self) -> bool:
        """Whether the actor handles only system messages now."""
        return self.ref.mailbox.suspended

    # -- The machinery

    async def _handle_batch(self) -> None:
        handle = self.handle if faults.active is None else self._handle_between_faults
        heartbeat, concurrent = self.heartbeat, self.concurrent
        for envelope in self.ref.mailbox.take_batch(BATCH):
            if envelope.message is DRAIN_MARKER:
                self._ended = True
                break
            port = envelope.reply
            if port is not None and port.deadline <= trio.current_time():
                self.ref.dead_letters.record(envelope, self.ref.name, "expired")
                port.fail(CallTimeout(self.ref.name, None))
                continue
            if concurrent or envelope.correlation_id != current_correlation_id():
                self.bind(envelope)
            else:
                self._handling.envelope = envelope  # of the same request as the one before it
            try:
                reply = await handle(envelope.message)
            except BaseException as error:  # the actor loop: the caller is answered, then it is raised again
                self._crashed(envelope, error)
                raise
            if port is not None:
                port.answer(reply)
            elif reply is not None:
                self._log_unheard(reply)
            if heartbeat is not None:
                heartbeat()
        self.bind(None)

    async def _handle_between_faults(self, message: Any) -> Any:
        await faults.async_point(RECEIVE_BEFORE, self.ref.name)
        reply = await self.handle(message)
        await faults.async_point(RECEIVE_AFTER, self.ref.name)
        return reply

    def _log_unheard(self, reply: Any) -> None:
        """Nobody waits for the reply to a cast; an error is logged."""
        if isinstance(reply, ErrorReply):
            extra = {"actor": self.ref.name, "error": repr(reply.error)}
            _logger.warning("%s answered a cast with an error: %s", self.ref.name, reply.error, extra=extra)

    def _set_timer(self, message: Any, delay: float, interval: float | None) -> Timer:
        timer = self._timers.add(message, delay, interval)
        self.ref.mailbox.wake()
        return timer

    def bind(self, envelope: Envelope | None) -> None:
        """From now on, what this task sends and logs is caused by ``envelope``; None: no message is being handled."""
        if self.concurrent:
            self._handling = Handling(self.ref, self.ref.name)
            handling.set(self._handling)
        self._handling.envelope = envelope
        correlation_id = None if envelope is None else envelope.correlation_id
        if correlation_id != current_correlation_id():
            set_checked_correlation_id(correlation_id)

    def _obey(self, message: object) -> None:
        mailbox = self.ref.mailbox
        if isinstance(message, Inspect):
            try:
                details = self.describe()
            except Exception as error:  # the caller is answered, then it is raised again
                message.reply.fail(ActorDown(self.ref.name, "failed", error))
                raise
            message.reply.answer(
                Inspection(self.ref.name, self.ref.incarnation, self.suspended, mailbox.statistics(), details)
            )
        elif isinstance(message, Suspend):
            mailbox.suspended = message.suspended and not self.stopping  # a stop is not put off
        elif isinstance(message, Stop):
            self.stopping = True
            mailbox.suspended = False
            if not message.drain:
                self._ended = True
                self.ref.purge("stopped")

    def _crashed(self, envelope: Envelope, error: BaseException) -> None:
        ref = self.ref
        if not is_failure(error):
            ref.refuse(envelope, "interrupted")
            return
        if envelope.reply is not None:
            envelope.reply.fail(ActorDown(ref.name, "failed", error))
        if envelope.attempt <= self.redeliver:
            ref.mailbox.redeliver(envelope.again())
        else:
            ref.quarantine.add(envelope, ref.name, error, ref.again)


def is_failure(error: BaseException) -> bool:
    """Whether a handler failed, rather than being stopped in the middle; a group may contain both."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(Exception)[0] is not None
    return isinstance(error, Exception)
