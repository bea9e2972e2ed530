"""The state behind a reference: its actor's incarnations, its monitors, and messages that no incarnation will
handle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
import trio

from actors.kernel.calls import PendingCalls, ReplyPort
from actors.kernel.dead_letters import DeadLetters, Quarantine
from actors.kernel.envelope import Envelope, next_envelope_id
from actors.kernel.errors import ActorDown, MailboxFull
from actors.kernel.mailbox import Mailbox, MailboxStatistics

# System messages: seen by an actor before anything that is queued.


@attrs.frozen
class Stop:
    """Asks the actor to end: after the messages that are queued now (``drain``), or after the present message."""

    drain: bool


@attrs.frozen
class Suspend:
    """Asks the actor to handle only system messages from now on (``suspended``), or to continue."""

    suspended: bool


@attrs.frozen
class Inspect:
    """Asks for an :class:`Inspection`, which answers ``reply``."""

    reply: ReplyPort


@attrs.frozen
class Inspection:
    """An actor's state between two messages; ``details`` is what its ``describe()`` returned."""

    actor: str
    incarnation: int
    suspended: bool
    mailbox: MailboxStatistics
    details: Mapping[str, Any]


#: The message that stands in the queue behind the last one that a draining stop still handles.
DRAIN_MARKER = object()


# Monitors: exactly one notice that an actor went down.


@attrs.frozen
class Down:
    """The notice of a monitor: one incarnation of an actor has ended, or there was none any more.

    ``reason`` as in :class:`~actors.kernel.errors.ActorDown`; ``cause``: the exception that ended it; ``incarnation``
    counts this reference's incarnations from 1; ``at``: trio seconds.
    """

    actor: str
    reason: str
    cause: BaseException | None
    incarnation: int
    at: float


class Monitor:
    """Watches one actor, from ``ActorRef.monitor()`` until its one notice or :meth:`cancel`."""

    def __init__(self, watching: dict[Monitor, None], notify: Callable[[Down], object] | None = None) -> None:
        self.down: Down | None = None
        self._watching = watching
        self._notify = notify
        self._happened = trio.Event()

    async def wait(self) -> Down:
        """Wait for the notice and return it; later calls return the same one."""
        await self._happened.wait()
        assert self.down is not None
        return self.down

    def cancel(self) -> None:
        """Stop watching: a notice that was not given yet is never given. Tasks in :meth:`wait` go on waiting.
        Idempotent.
        """
        self._watching.pop(self, None)

    def deliver(self, down: Down) -> None:
        """Give the notice; called by the cell of the watched actor."""
        self.down = down
        self._happened.set()
        if self._notify is not None:
            self._notify(down)


State = Literal["waiting", "running", "gone"]


#: Seconds a call waits where its caller set no deadline: gen_server's.
CALL_DEADLINE = 5.0


@attrs.define(eq=False, repr=False, weakref_slot=False)
class ActorCell:
    """One incarnation after another, never two at once. Between two of them messages queue; after the last they are
    refused.

    ``state`` is ``waiting`` before the first incarnation and between two, ``running``, or ``gone``; a later start makes
    a gone actor running again.
    """

    name: str
    mailbox: Mailbox = attrs.field(factory=Mailbox)
    call_deadline: float = attrs.field(default=CALL_DEADLINE, kw_only=True)
    dead_letters: DeadLetters = attrs.field(factory=DeadLetters, kw_only=True)
    quarantine: Quarantine = attrs.field(factory=Quarantine, kw_only=True)
    incarnation: int = attrs.field(default=0, init=False)
    side_nursery: trio.Nursery | None = attrs.field(default=None, init=False)  # of the actor's tasks beside its mailbox
    _now: Callable[[], float] = attrs.field(default=trio.current_time, init=False)
    _calls: PendingCalls = attrs.field(init=False)
    _monitors: dict[Monitor, None] = attrs.field(factory=dict, init=False)
    _task: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    _end: tuple[str, BaseException | None] | None = attrs.field(default=None, init=False)
    _stopping: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._calls = PendingCalls(self.name, self.call_deadline)
        self.mailbox.owner = self.name
        self.mailbox.on_drop = self._dropped

    def __repr__(self) -> str:
        return f"<ActorRef {self.name!r} {self.state}, incarnation {self.incarnation}>"

    @property
    def state(self) -> State:
        """The present state of the actor."""
        if self._task is not None:
            return "running"
        return "waiting" if self._end is None else "gone"

    # -- For the runner

    def entered(self) -> None:
        """An incarnation begins in this task. Raises RuntimeError while another one lives."""
        if self._task is not None:
            raise RuntimeError(f"actor {self.name!r} runs already: two incarnations must never live at once")
        self._task = trio.lowlevel.current_task()
        self._now = trio.lowlevel.current_clock().current_time
        self._end = None
        self.incarnation += 1

    def left(self, reason: str, cause: BaseException | None) -> None:
        """The incarnation has ended; messages queue until another one begins, or :meth:`gone` says that none will."""
        self._task = self.side_nursery = None
        self._now = trio.current_time
        self._forget_system(reason, cause)
        self._notify_monitors(reason, cause)

    def gone(self, reason: str, cause: BaseException | None = None) -> None:
        """No incarnation follows.

        Queued calls fail, queued casts are dead letters, monitors get their notice. Idempotent.
        """
        if self._task is not None or self._end is not None:
            return
        self._end = (reason, cause)
        self._forget_system(reason, cause)
        self.purge(reason, cause)
        self._calls.close(ActorDown(self.name, reason, cause))
        self._notify_monitors(reason, cause)

    def again(self, envelope: Envelope) -> None:
        """Queue a message that was in quarantine, as the newest one. Raises ActorDown if the actor is gone, and
        MailboxFull.
        """
        if self._end is not None:
            raise ActorDown(self.name, *self._end)
        self.mailbox.put_nowait(attrs.evolve(envelope, id=next_envelope_id()))

    def purge(self, reason: str, cause: BaseException | None = None) -> None:
        """Empty the mailbox: each queued call fails with ``reason``, each cast is a dead letter."""
        for envelope in self.mailbox.clear():
            if envelope.message is DRAIN_MARKER:
                continue
            if envelope.attempt > 1 and cause is not None:  # its handling crashed, and nobody will try it again
                self.quarantine.add(envelope, self.name, cause, self.again)
            else:
                self.refuse(envelope, reason, cause)

    def refuse(self, envelope: Envelope, reason: str, cause: BaseException | None = None) -> None:
        """``envelope`` will not be handled: its caller gets ActorDown; without a waiting caller it is a dead letter."""
        if envelope.reply is None or not envelope.reply.fail(ActorDown(self.name, reason, cause)):
            self.dead_letters.record(envelope, self.name, reason)

    # -- Helpers

    def _forget_system(self, reason: str, cause: BaseException | None) -> None:
        """A requested stop has happened, however the actor ended; a task that inspects gets ActorDown."""
        if self._stopping:
            self.mailbox.withdraw(DRAIN_MARKER)
            self._stopping = False
        self.mailbox.suspended = False
        while self.mailbox.system:
            message = self.mailbox.system.pop(0)
            if isinstance(message, Inspect):
                message.reply.fail(ActorDown(self.name, reason, cause))

    def _dropped(self, envelope: Envelope) -> None:
        if envelope.reply is not None:
            envelope.reply.fail(MailboxFull(envelope.message, self.mailbox.capacity, self.name))
        self.dead_letters.record(envelope, self.name, "dropped")

    def _notify_monitors(self, reason: str, cause: BaseException | None) -> None:
        monitors, self._monitors = self._monitors, {}
        for monitor in monitors:
            monitor.deliver(self._down(reason, cause))

    def _down(self, reason: str, cause: BaseException | None) -> Down:
        return Down(self.name, reason, cause, self.incarnation, trio.current_time())
