"""References: a mailbox and a name. What callers hold, before, between and after an actor's incarnations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import trio

from actors.kernel.calls import PendingCalls, ReplyPort
from actors.kernel.clock import quick_clock
from actors.kernel.context import current_correlation_id, get_correlation_id
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.envelope import Envelope, handling, next_envelope_id
from actors.kernel.errors import ActorDown, CallTimeout, CallToSelf, MailboxFull
from actors.kernel.mailbox import Mailbox
from actors.kernel.monitor import Down, Monitor
from actors.kernel.overflow import Overflow
from actors.kernel.quarantine import Quarantine
from actors.kernel.system import LAST, Inspect, Inspection, Resume, Stop, Suspend

#: Seconds a call waits where its caller set no deadline: gen_server's.
CALL_DEADLINE = 5.0

_new = tuple.__new__  # past Envelope's own constructor, which takes twice as long
_handling = handling.get

State = Literal["waiting", "running", "gone"]


class ActorRef:
    """The name and the mailbox of one actor; outlives its incarnations.

    ``state`` is ``waiting`` before the first incarnation and between two (messages queue), ``running``, or ``gone``
    (messages are dead letters, calls fail at once); a later start makes a gone one running again.
    ``call_deadline`` is in seconds. ``dead_letters`` and ``quarantine`` are shared where a registry made the
    reference, else its own.
    """

    __slots__ = (
        "_calls", "_dead_letters", "_end", "_monitors", "_put", "_quarantine", "_seconds", "_since", "_stopping",
        "_task", "beside", "incarnation", "mailbox", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        mailbox: Mailbox | None = None,
        *,
        call_deadline: float = CALL_DEADLINE,
        dead_letters: DeadLetters | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.name = name
        self.mailbox = Mailbox() if mailbox is None else mailbox
        self.mailbox.owner = name
        self.mailbox.on_drop = self._dropped
        self.incarnation = 0
        self.beside: trio.Nursery | None = None  # where the actor's own tasks run beside its mailbox
        self._calls = PendingCalls(name, call_deadline)
        self._dead_letters = dead_letters
        self._quarantine = quarantine
        self._monitors: dict[Monitor, None] | None = None
        self._task: trio.lowlevel.Task | None = None
        self._end: tuple[str, BaseException | None] | None = None
        self._put: Callable[[Envelope], None] = self.mailbox.put_nowait  # or _bury, once it is gone
        self._stopping = False
        self._seconds: Callable[[], float] | None = None
        self._since = 0.0

    def __repr__(self) -> str:
        return f"<ActorRef {self.name!r} {self.state}, incarnation {self.incarnation}>"

    @property
    def state(self) -> State:
        """Where the actor stands, now."""
        if self._task is not None:
            return "running"
        return "waiting" if self._end is None else "gone"

    @property
    def dead_letters(self) -> DeadLetters:
        """Where this actor's undeliverable messages go."""
        if self._dead_letters is None:
            self._dead_letters = DeadLetters()
        return self._dead_letters

    @property
    def quarantine(self) -> Quarantine:
        """Where the messages go that crashed this actor."""
        if self._quarantine is None:
            self._quarantine = Quarantine()
        return self._quarantine

    # Messages
    # --------------------------------------------------------------------------------------------------------

    def cast(self, message: Any) -> None:
        """Send ``message`` and go on; never blocks.

        To an actor that is gone it is a dead letter. Raises MailboxFull where the mailbox is full and its
        policy drops nothing; :meth:`send` waits instead.
        """
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
        self._refuse_own_call()
        if deadline != math.inf:
            return await self._ask(message, ReplyPort(deadline))
        port = ReplyPort(trio.current_time() + self._calls.seconds)
        self._calls.add(port)
        try:
            return await self._ask(message, port)
        finally:
            self._calls.discard(port)

    async def _ask(self, message: Any, port: ReplyPort) -> Any:
        envelope = self._envelope(message, port, port.deadline)
        mailbox = self.mailbox
        if mailbox.overflow is Overflow.BLOCK and len(mailbox) >= mailbox.capacity:
            with trio.CancelScope(deadline=port.deadline) as scope:
                await mailbox.put(envelope)
            if scope.cancelled_caught:
                raise CallTimeout(self.name, self._calls.seconds)
        else:
            mailbox.put_nowait(envelope)
        return await port.wait()

    def _envelope(self, message: Any, reply: ReplyPort | None, deadline: float) -> Envelope:
        cause = _handling().envelope
        return _new(
            Envelope, (
                message, current_correlation_id() or get_correlation_id(), cause and cause.id, cause and cause.to,
                reply, deadline, 1, (self._seconds or self._bind_clock())() + self._since, self.name,
                next_envelope_id(),
            )
        )  # fmt: skip

    def _bind_clock(self) -> Callable[[], float]:
        self._seconds, self._since = quick_clock()
        return self._seconds

    def _refuse_own_call(self) -> None:
        # The actor's own task, or one in a nursery that a handler opened, but not one beside the mailbox.
        task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        if task is self._task:
            raise CallToSelf(self.name)
        cause = _handling().envelope
        if cause is None or cause.to != self.name or self._task is None:
            return
        while task is not None and task.parent_nursery not in (None, self.beside):
            task = task.parent_nursery.parent_task
            if task is self._task:
                raise CallToSelf(self.name)

    # Watching and stopping
    # -------------------------------------------------------------------------------------------

    def monitor(self, into: ActorRef | None = None) -> Monitor:
        """Be told once when the actor goes down: at the end of the incarnation that runs or comes next, at once
        if gone.

        ``await monitor.wait()`` gives the :class:`Down`; with ``into`` it is also sent there, whatever the
        capacity.
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
            inspection: Inspection = await port.wait()
            return inspection
        raise CallTimeout(self.name, self._calls.seconds)

    def notice(self, message: Any) -> None:
        """Send what must not be lost: beyond the capacity, dropped by no policy. For Down and for timers."""
        envelope = self._envelope(message, None, math.inf)
        if self._end is None:
            self.mailbox.put_anyway(envelope)
        else:
            self._bury(envelope)

    # For whoever runs the actor
    # --------------------------------------------------------------------------------------

    def entered(self) -> None:
        """An incarnation begins, in this task. Raises RuntimeError while another one lives."""
        if self._task is not None:
            raise RuntimeError(f"actor {self.name!r} runs already: two incarnations must never live at once")
        self._task = trio.lowlevel.current_task()
        self._bind_clock()
        self._end = None
        self._put = self.mailbox.put_nowait
        self.incarnation += 1

    def left(self, reason: str, cause: BaseException | None) -> None:
        """The incarnation ended; messages queue until another begins, or :meth:`gone` says that none will."""
        self._task = self.beside = None
        self._stopping = False
        self.mailbox.hold(False)
        while (message := self.mailbox.take_system()) is not None:
            if isinstance(message, Inspect):
                message.reply.fail(ActorDown(self.name, reason, cause))
        self._tell(reason, cause)

    def gone(self, reason: str, cause: BaseException | None = None) -> None:
        """No incarnation follows.

        Queued calls fail, queued casts are dead letters, monitors are told. Idempotent.
        """
        if self._task is not None or self._end is not None:
            return
        self._end = (reason, cause)
        self._put = self._bury
        self.purge(reason, cause)
        self._calls.close()
        self._tell(reason, cause)

    def purge(self, reason: str, cause: BaseException | None = None) -> None:
        """Empty the mailbox: each queued call fails with ``reason``, each cast is a dead letter."""
        for envelope in self.mailbox.clear():
            if envelope is not LAST:
                self.refuse(envelope, reason, cause)

    def refuse(self, envelope: Envelope, reason: str, cause: BaseException | None = None) -> None:
        """``envelope`` will not be handled: its caller is told why; if nobody waits, it is a dead letter."""
        if envelope.reply is None or not envelope.reply.fail(ActorDown(self.name, reason, cause)):
            self.dead_letters.record(envelope, self.name, reason)

    # Helpers
    # ---------------------------------------------------------------------------------------------------------

    def _dropped(self, envelope: Envelope) -> None:
        if envelope.reply is not None:
            envelope.reply.fail(MailboxFull(envelope.message, self.mailbox.capacity, self.name))
        self.dead_letters.record(envelope, self.name, "dropped")

    def _bury(self, envelope: Envelope) -> None:
        self.dead_letters.record(envelope, self.name, self._end[0] if self._end else "stopped")

    def _forget_monitor(self, monitor: Monitor) -> None:
        if self._monitors is not None:
            self._monitors.pop(monitor, None)

    def _tell(self, reason: str, cause: BaseException | None) -> None:
        monitors, self._monitors = self._monitors, None
        for monitor in monitors or ():
            monitor.deliver(self._down(reason, cause))

    def _down(self, reason: str, cause: BaseException | None) -> Down:
        return Down(self.name, reason, cause, self.incarnation, trio.current_time())
