"""What a reference knows of its actor's incarnations, and what becomes of messages that none will handle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import attrs
import trio

from actors.kernel.calls import PendingCalls
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.envelope import Envelope, next_envelope_id
from actors.kernel.errors import ActorDown, MailboxFull
from actors.kernel.mailbox import Mailbox
from actors.kernel.monitor import Down, Monitor
from actors.kernel.quarantine import Quarantine
from actors.kernel.system import DRAIN_MARKER, Inspect

State = Literal["waiting", "running", "gone"]


#: Seconds a call waits where its caller set no deadline: gen_server's.
CALL_DEADLINE = 5.0


class ActorCell:
    """One incarnation after another, never two at once; between two of them messages queue, after the last they are
    refused.

    ``state`` is ``waiting`` before the first incarnation and between two, ``running``, or ``gone``; a later start
    makes a gone one running again.
    """

    __slots__ = (
        "_calls", "_end", "_monitors", "_now", "_stopping", "_task", "dead_letters", "incarnation", "mailbox",
        "name", "quarantine", "side_nursery",
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
        self._now: Callable[[], float] = trio.current_time
        self.side_nursery: trio.Nursery | None = None  # where the actor's own tasks run beside its mailbox
        self._calls = PendingCalls(name, call_deadline)
        self.dead_letters = DeadLetters() if dead_letters is None else dead_letters
        self.quarantine = Quarantine() if quarantine is None else quarantine
        self._monitors: dict[Monitor, None] = {}
        self._task: trio.lowlevel.Task | None = None
        self._end: tuple[str, BaseException | None] | None = None
        self._stopping = False

    def __repr__(self) -> str:
        return f"<ActorRef {self.name!r} {self.state}, incarnation {self.incarnation}>"

    @property
    def state(self) -> State:
        """Where the actor stands, now."""
        if self._task is not None:
            return "running"
        return "waiting" if self._end is None else "gone"

    # -- For whoever runs the actor

    def entered(self) -> None:
        """An incarnation begins, in this task. Raises RuntimeError while another one lives."""
        if self._task is not None:
            raise RuntimeError(f"actor {self.name!r} runs already: two incarnations must never live at once")
        self._task = trio.lowlevel.current_task()
        self._now = trio.lowlevel.current_clock().current_time
        self._end = None
        self.incarnation += 1

    def left(self, reason: str, cause: BaseException | None) -> None:
        """The incarnation ended; messages queue until another begins, or :meth:`gone` says that none will."""
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
        self._calls.close()
        self._notify_monitors(reason, cause)

    def again(self, envelope: Envelope) -> None:
        """Queue what was in quarantine, in its new place. Raises ActorDown when the actor is gone, and MailboxFull."""
        if self._end is not None:
            raise ActorDown(self.name, *self._end)
        self.mailbox.put_nowait(attrs.evolve(envelope, id=next_envelope_id()))

    def purge(self, reason: str, cause: BaseException | None = None) -> None:
        """Empty the mailbox: each queued call fails with ``reason``, each cast is a dead letter."""
        for envelope in self.mailbox.clear():
            if envelope.message is not DRAIN_MARKER:
                self.refuse(envelope, reason, cause)

    def refuse(self, envelope: Envelope, reason: str, cause: BaseException | None = None) -> None:
        """``envelope`` will not be handled: its caller gets ActorDown; if nobody waits, it is a dead letter."""
        if envelope.reply is None or not envelope.reply.fail(ActorDown(self.name, reason, cause)):
            self.dead_letters.record(envelope, self.name, reason)

    # -- Helpers

    def _forget_system(self, reason: str, cause: BaseException | None) -> None:
        """A stop that was asked for has happened, whatever the end was; who inspects gets ActorDown."""
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
