"""The caller's side of a call: a one-slot reply port, and one timer a mailbox for the default deadlines.

A cancel scope for each call would cost as much as the call. So a caller without a deadline of its own waits
bare, and one sweeper for all of a mailbox's calls ends those that are overdue. It is a system task, because
calls are also waited for while the actor is between two incarnations and has no task; it is there only while
such calls are.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import attrs
import trio
from trio.lowlevel import current_task, reschedule

from actors.kernel.errors import CallTimeout

_PENDING: Any = object()


@attrs.define
class ErrorReply:
    """What a handler returns to answer with an error on purpose.

    The caller gets ``error`` raised, the actor lives.
    """

    error: Exception


class ReplyPort:
    """Holds the one reply to one call. The first answer counts; a later one finds nobody and says so."""

    __slots__ = ("_task", "_value", "deadline")

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self._value: Any = _PENDING
        self._task: trio.lowlevel.Task | None = None

    @property
    def done(self) -> bool:
        """Whether it was answered, or its caller has left."""
        return self._value is not _PENDING

    def answer(self, value: Any) -> bool:
        """Deliver ``value`` (or raise the error of an :class:`ErrorReply`); False when nobody waits any more."""
        if self._value is not _PENDING:
            return False
        self._value = value
        if self._task is not None:
            reschedule(self._task)
            self._task = None
        return True

    def fail(self, error: Exception) -> bool:
        """Raise ``error`` in the caller; False when nobody waits any more."""
        return self.answer(ErrorReply(error))

    def waits(self) -> bool:
        """Let this task be the one that waits, in ``wait_task_rescheduled(port.leave)``; False if there is a
        reply already.

        Not a coroutine of its own: a call would pay for it twice, when it goes to sleep and when it wakes.
        """
        if self._value is not _PENDING:
            return False
        self._task = current_task()
        return True

    def leave(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """The caller is cancelled; the late reply is dropped."""
        self._value = self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def result(self) -> Any:
        """The reply. Raises what the port was failed with."""
        value = self._value
        if type(value) is ErrorReply:
            raise value.error
        return value


class PendingCalls:
    """The calls of one mailbox that wait under the default deadline of ``seconds``, oldest first.

    The oldest is the next to be due, since all have the same allowance, and mostly the first to be answered: so
    those that are done are dropped from the front when another comes, and none has to take itself out.
    """

    __slots__ = ("_actor", "_ports", "_scope", "seconds")

    def __init__(self, actor: str, seconds: float) -> None:
        self.seconds = seconds
        self._actor = actor
        self._ports: deque[ReplyPort] | None = None
        self._scope: trio.CancelScope | None = None

    def add(self, port: ReplyPort) -> None:
        """Fail ``port`` with CallTimeout at its deadline, unless it is done by then."""
        ports = self._ports
        if ports is None:
            ports = self._ports = deque()
        while ports and ports[0].done:
            ports.popleft()
        ports.append(port)
        if self._scope is None:
            self._scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._sweep, self._scope, name=f"deadlines of calls to {self._actor}")

    def close(self) -> None:
        """End the sweeper; the actor is gone and every caller was answered."""
        self._ports = None
        if self._scope is not None:
            self._scope.cancel(reason="the actor is gone")
            self._scope = None

    async def _sweep(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                while self._ports:
                    await trio.sleep_until(self._ports[0].deadline)
                    self._expire(trio.current_time())
        finally:
            if self._scope is scope:
                self._scope = None

    def _expire(self, now: float) -> None:
        ports = self._ports
        while ports and (ports[0].done or ports[0].deadline <= now):
            ports.popleft().fail(CallTimeout(self._actor, self.seconds))
