"""References: the name and the mailbox of an actor, which callers hold before, between and after its incarnations."""

from __future__ import annotations

import math
from typing import Any

import trio

from actors.kernel.actor_cell import DRAIN_MARKER, ActorCell, Inspect, Inspection, Monitor, Stop, Suspend
from actors.kernel.calls import ReplyPort
from actors.kernel.envelope import Envelope, handling, next_envelope_id
from actors.kernel.errors import ActorDown, CallTimeout, CallToSelf
from logconf import get_correlation_id
from logconf.context import current_correlation_id
from supervision import faults

#: Fault points: where a cast travels, and what a caller passes; the subject is the actor's name.
SEND, CALL_BEFORE = "send", "call.before"


class ActorRef(ActorCell):
    """The name and the mailbox of one actor; outlives its incarnations.

    ``call_deadline`` is in seconds. ``dead_letters`` and ``quarantine`` are shared if a registry made the reference,
    else they are its own.
    """

    __slots__ = ()

    # -- Messages

    def cast(self, message: Any) -> None:
        """Send ``message`` without waiting; never blocks.

        If the actor is gone, the message is a dead letter. Raises MailboxFull if the mailbox is full and its policy
        drops nothing; :meth:`send` waits instead.
        """
        if faults.active is None and self._end is None:
            self.mailbox.put_nowait(self._envelope(message))
        else:
            for arrived in faults.carry(SEND, message, self.name):
                self._deliver(self._envelope(arrived))

    async def send(self, message: Any) -> None:
        """Send ``message``, waiting for room under the policy ``block``. Else like :meth:`cast`."""
        if self._end is None:
            await self.mailbox.put(self._envelope(message))
        else:
            await trio.lowlevel.checkpoint()
            self.cast(message)

    async def call(self, message: Any) -> Any:
        """Send ``message`` and wait for the reply of ``handle``.

        The deadline is that of the scope around the call, else ``call_deadline`` seconds. Raises ActorDown at once if
        the actor is gone or fails while it handles this message, CallTimeout after the default deadline, MailboxFull,
        CallToSelf, and the error of an ErrorReply. While the actor is being restarted, the call waits in its mailbox.
        """
        deadline = trio.current_effective_deadline()
        if deadline == -math.inf:
            await trio.lowlevel.checkpoint_if_cancelled()
        self._require_present()
        if handling.get().actor is self and self._runs_here():
            raise CallToSelf(self.name)
        if faults.active is not None:
            await faults.async_point(CALL_BEFORE, self.name)
            self._require_present()
        if deadline != math.inf:
            port = ReplyPort(deadline)
        else:
            port = ReplyPort(trio.current_time() + self._calls.seconds)
            self._calls.add(port)
        envelope = self._envelope(message, port)
        if self.mailbox.must_wait():
            await self._wait_for_room(envelope)
        else:
            self.mailbox.put_nowait(envelope)
        return await port.wait()

    async def _wait_for_room(self, envelope: Envelope) -> None:
        with trio.move_on_at(envelope.deadline) as scope:
            await self.mailbox.put(envelope)
        if scope.cancelled_caught:
            raise CallTimeout(self.name, self._calls.seconds)

    def notice(self, message: Any) -> None:
        """Send a message that must not be lost: regardless of the capacity, dropped by no policy. For Down notices
        and timers.
        """
        if self._end is None:
            self.mailbox.put_unbounded(self._envelope(message))
        else:
            self._deliver(self._envelope(message))

    def _envelope(self, message: Any, reply: ReplyPort | None = None) -> Envelope:
        here = handling.get()
        causation_id, sender = (None, None) if here.envelope is None else (here.envelope.id, here.name)
        correlation_id = current_correlation_id() or get_correlation_id()
        return Envelope(message, correlation_id, causation_id, sender, reply, 1, self._now(), next_envelope_id())

    def _deliver(self, envelope: Envelope) -> None:
        if self._end is None:
            self.mailbox.put_nowait(envelope)
        else:
            self.dead_letters.record(envelope, self.name, self._end[0])

    def _require_present(self) -> None:
        if self._end is not None:
            raise ActorDown(self.name, *self._end)

    def _runs_here(self) -> bool:
        # Its own task, or one in a nursery that it opened in a hook or a handler, but not one beside the mailbox.
        task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        while task is not None and task is not self._task:
            if task.parent_nursery is None or task.parent_nursery is self.side_nursery:
                return False
            task = task.parent_nursery.parent_task
        return task is not None

    # -- Watching and stopping

    def monitor(self, into: ActorRef | None = None) -> Monitor:
        """Get one notice when the actor goes down: at once if it is gone, else at the end of the present or next
        incarnation.

        ``await monitor.wait()`` returns the :class:`Down`; with ``into`` it is also sent there, regardless of the
        capacity.
        """
        monitor = Monitor(self._monitors, None if into is None else into.notice)
        if self._end is not None:
            monitor.deliver(self._down(*self._end))
        else:
            self._monitors[monitor] = None
        return monitor

    async def stop(self, drain: bool = True) -> None:
        """Ask the actor to end, and return when it has ended.

        With ``drain`` the messages that are queued now are handled first. Without it the present message is the last
        one: queued calls get ActorDown and queued casts become dead letters. A permanent child is started again by its
        supervisor, as in OTP. Does nothing for an actor that was not started yet; an actor that stops itself does not
        wait.
        """
        if self._task is None and self.incarnation == 0:
            await trio.lowlevel.checkpoint()
            return
        if self._end is None and not (self._stopping and drain):
            self._stopping = True
            if drain:
                self.mailbox.put_unbounded(self._envelope(DRAIN_MARKER))
            self.mailbox.put_system(Stop(drain))
        if self._runs_here():
            await trio.lowlevel.checkpoint()
            return
        monitor = self.monitor()
        try:
            await monitor.wait()
        finally:
            monitor.cancel()

    def suspend(self) -> None:
        """Let the actor handle only system messages until :meth:`resume`. Its mailbox continues to fill."""
        self.mailbox.put_system(Suspend(True))

    def resume(self) -> None:
        """Let a suspended actor continue."""
        self.mailbox.put_system(Suspend(False))

    async def inspect(self) -> Inspection:
        """The state of the actor, answered before queued messages. Raises ActorDown if it is gone, and CallTimeout."""
        self._require_present()
        port = ReplyPort()
        self.mailbox.put_system(Inspect(port))
        with trio.move_on_after(self._calls.seconds):
            inspection: Inspection = await port.wait()
            return inspection
        raise CallTimeout(self.name, self._calls.seconds)
