"""References: a mailbox and a name. What callers hold, before, between and after an actor's incarnations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio
from trio.lowlevel import wait_task_rescheduled

from actors.kernel.actor_cell import Incarnations
from actors.kernel.calls import ReplyPort
from actors.kernel.clock import quick_clock
from actors.kernel.context import current_correlation_id, get_correlation_id
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.envelope import Envelope, handling, next_envelope_id
from actors.kernel.errors import ActorDown, CallTimeout, CallToSelf
from actors.kernel.mailbox import Mailbox
from actors.kernel.monitor import Monitor
from actors.kernel.overflow import Overflow
from actors.kernel.quarantine import Quarantine
from actors.kernel.system import LAST, Inspect, Inspection, Resume, Stop, Suspend
from supervision import faults

#: Seconds a call waits where its caller set no deadline: gen_server's.
CALL_DEADLINE = 5.0

#: Fault points: where a cast travels, and what a caller passes; the subject is the actor's name.
SEND, CALL_BEFORE = "send", "call.before"

_new = tuple.__new__  # past Envelope's own constructor, which takes twice as long
_handling = handling.get


class ActorRef(Incarnations):
    """The name and the mailbox of one actor; outlives its incarnations.

    ``call_deadline`` is in seconds. ``dead_letters`` and ``quarantine`` are shared where a registry made the
    reference, else they are its own.
    """

    __slots__ = ("_seconds", "_since")

    def __init__(
        self,
        name: str,
        mailbox: Mailbox | None = None,
        *,
        call_deadline: float = CALL_DEADLINE,
        dead_letters: DeadLetters | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        super().__init__(name, mailbox, call_deadline, dead_letters, quarantine)
        self._seconds: Callable[[], float] | None = None
        self._since = 0.0

    # -- Messages

    def cast(self, message: Any) -> None:
        """Send ``message`` and go on; never blocks.

        To an actor that is gone it is a dead letter. Raises MailboxFull where the mailbox is full and its
        policy drops nothing; :meth:`send` waits instead.
        """
        if faults.active is not None:
            self._cast_with_faults(message)
            return
        # As in _envelope, written out: a call more is a tenth of a cast.
        cause = _handling().envelope
        self._put(
            _new(Envelope, (
                message, current_correlation_id() or get_correlation_id(), cause and cause.id, cause and cause.to,
                None, math.inf, 1, (self._seconds or self._bind_clock())() + self._since, self.name, next_envelope_id(),
            ))
        )  # fmt: skip

    async def send(self, message: Any) -> None:
        """Send ``message``, waiting for room under the policy ``block``. Else as :meth:`cast`."""
        if self._end is None:
            await self.mailbox.put(self._envelope(message, None, math.inf))
        else:
            await trio.lowlevel.checkpoint()
            self.cast(message)

    async def call(self, message: Any) -> Any:
        """Send ``message`` and wait for the reply of ``handle``.

        The deadline is that of the scope around the call, else ``call_deadline`` seconds. Raises ActorDown at
        once when the actor is gone or dies of this message, CallTimeout past the default deadline, MailboxFull,
        CallToSelf, and what the handler answered with in an ErrorReply. While the actor is being restarted the
        call waits in its mailbox.
        """
        deadline = trio.current_effective_deadline()
        if deadline == -math.inf:
            await trio.lowlevel.checkpoint_if_cancelled()
        if self._end is not None:
            raise ActorDown(self.name, *self._end)
        if _handling().actor is self:
            self._refuse_own_call()
        if faults.active is not None:
            await faults.async_point(CALL_BEFORE, self.name)
        if deadline != math.inf:
            port = ReplyPort(deadline)
        else:
            port = ReplyPort((self._seconds or self._bind_clock())() + self._since + self._calls.seconds)
            self._calls.add(port)
        mailbox = self.mailbox
        if mailbox.overflow is Overflow.BLOCK and len(mailbox.queue) >= mailbox.capacity:
            await self._wait_for_room(message, port)
        else:
            mailbox.put_nowait(self._envelope(message, port, port.deadline))
        if port.waits():
            await wait_task_rescheduled(port.leave)
        else:
            await trio.lowlevel.checkpoint()
        return port.result()

    async def _wait_for_room(self, message: Any, port: ReplyPort) -> None:
        with trio.CancelScope(deadline=port.deadline) as scope:
            await self.mailbox.put(self._envelope(message, port, port.deadline))
        if scope.cancelled_caught:
            raise CallTimeout(self.name, self._calls.seconds)

    def _envelope(self, message: Any, reply: ReplyPort | None, deadline: float) -> Envelope:
        cause = _handling().envelope
        return _new(
            Envelope, (
                message, current_correlation_id() or get_correlation_id(), cause and cause.id, cause and cause.to,
                reply, deadline, 1, (self._seconds or self._bind_clock())() + self._since, self.name,
                next_envelope_id(),
            )
        )  # fmt: skip

    def _cast_with_faults(self, message: Any) -> None:
        for arrived in faults.carry(SEND, message, self.name):
            self._put(self._envelope(arrived, None, math.inf))

    def _bind_clock(self) -> Callable[[], float]:
        self._seconds, self._since = quick_clock()
        return self._seconds

    def _refuse_own_call(self) -> None:
        # Its own task, or one in a nursery that it opened in a hook or a handler, but not one beside the mailbox.
        task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        while task is not None:
            if task is self._task:
                raise CallToSelf(self.name)
            if task.parent_nursery is None or task.parent_nursery is self.beside:
                return
            task = task.parent_nursery.parent_task

    # -- Watching and stopping

    def monitor(self, into: ActorRef | None = None) -> Monitor:
        """Be told once when the actor goes down: at once if it is gone.

        Else at the end of the incarnation that runs or comes next. ``await monitor.wait()`` gives the
        :class:`Down`; with ``into`` it is also sent there, whatever the capacity.
        """
        monitor = Monitor(self._forget_monitor, None if into is None else into.notice)
        if self._end is not None:
            monitor.deliver(self._down(*self._end))
        else:
            self._monitors = self._monitors or {}
            self._monitors[monitor] = None
        return monitor

    async def stop(self, drain: bool = True) -> None:
        """Have the actor end, and return when it has.

        ``drain``: what is queued now is handled first. Else the message in hand is the last, queued calls get
        ActorDown and queued casts become dead letters. A permanent child is started again by its supervisor, as
        in OTP. Of an actor not started yet nothing is asked; of itself an actor asks it without waiting.
        """
        if self._task is None and self.incarnation == 0:
            await trio.lowlevel.checkpoint()
            return
        if self._end is None and not (self._stopping and drain):
            self._stopping = True
            if drain:
                self.mailbox.put_anyway(LAST)
            self.mailbox.put_system(Stop(drain))
        if trio.lowlevel.current_task() is self._task:
            await trio.lowlevel.checkpoint()
            return
        monitor = self.monitor()
        try:
            await monitor.wait()
        finally:
            monitor.cancel()

    def suspend(self) -> None:
        """Have the actor handle nothing but system messages until :meth:`resume`. Its queue goes on filling."""
        self.mailbox.put_system(Suspend())

    def resume(self) -> None:
        """Let a suspended actor go on."""
        self.mailbox.put_system(Resume())

    async def inspect(self) -> Inspection:
        """What the actor says of itself, before anything queued. Raises ActorDown when it is gone, CallTimeout."""
        if self._end is not None:
            raise ActorDown(self.name, *self._end)
        port = ReplyPort()
        self.mailbox.put_system(Inspect(port))
        with trio.move_on_after(self._calls.seconds):
            if port.waits():
                await wait_task_rescheduled(port.leave)
            inspection: Inspection = port.result()
            return inspection
        raise CallTimeout(self.name, self._calls.seconds)

    def notice(self, message: Any) -> None:
        """Send what must not be lost: beyond the capacity, dropped by no policy. For Down and for timers."""
        envelope = self._envelope(message, None, math.inf)
        if self._end is None:
            self.mailbox.put_anyway(envelope)
        else:
            self._bury(envelope)

    def entered(self) -> None:
        """An incarnation begins, in this task. Raises RuntimeError while another one lives."""
        super().entered()
        self._bind_clock()
