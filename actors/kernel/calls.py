"""The caller's side of a call: a reply port for one reply, and one timer in each mailbox for the default deadlines.

A cancel scope for each call would take a third of a call's time. So a caller without a deadline of its own waits
without a scope, and one task ends all overdue calls of a mailbox. It is a system task, because calls are also waited
for while the actor is between two incarnations and has no task; it exists only while such calls do.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import attrs
import trio

from actors.kernel.errors import ActorDown, CallTimeout


@attrs.define
class ErrorReply:
    """What a handler returns to answer with an error on purpose: ``error`` is raised in the caller, and the actor
    continues.
    """

    error: Exception


class ReplyPort:
    """Holds the one reply to one call. Only the first answer is delivered; for a later one the result is False."""

    __slots__ = ("_done", "_reply", "deadline")

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self._reply: Any = None
        self._done = trio.Event()

    @property
    def done(self) -> bool:
        """Whether it was answered, or its caller no longer waits."""
        return self._done.is_set()

    def answer(self, reply: Any) -> bool:
        """Deliver ``reply`` (or raise the error of an :class:`ErrorReply`); False when nobody waits any more."""
        if self._done.is_set():
            return False
        self._reply = reply
        self._done.set()
        return True

    def fail(self, error: Exception) -> bool:
        """Raise ``error`` in the caller; False when nobody waits any more."""
        return self.answer(ErrorReply(error))

    async def wait(self) -> Any:
        """Wait for the reply. Raises the error with which the port was failed."""
        try:
            await self._done.wait()
        finally:
            self._done.set()  # where the caller was cancelled: a late reply is dropped
        if isinstance(self._reply, ErrorReply):
            raise self._reply.error
        return self._reply


class PendingCalls:
    """The calls of one mailbox that wait under the default deadline of ``seconds``, oldest first.

    All have the same time, so the oldest is due next, and mostly it is also answered first. So answered calls are
    removed from the front when another one is added, and none has to remove itself.
    """

    __slots__ = ("_actor", "_ports", "_scope", "seconds")

    def __init__(self, actor: str, seconds: float) -> None:
        self.seconds = seconds
        self._actor = actor
        self._ports: deque[ReplyPort] | None = None
        self._scope: trio.CancelScope | None = None

    def add(self, port: ReplyPort) -> None:
        """Fail ``port`` with CallTimeout at its deadline, unless it is done by then."""
        ports = self._ports = self._ports or deque()
        while ports and ports[0].done:
            ports.popleft()
        ports.append(port)
        if self._scope is None:
            self._scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._sweep, self._scope, name=f"deadlines of calls to {self._actor}")

    def close(self, down: ActorDown) -> None:
        """End the sweeper; the actor is gone. A caller that nobody answered gets ``down``."""
        ports, self._ports = self._ports, None
        for port in ports or ():
            port.fail(down)
        if self._scope is not None:
            self._scope.cancel(reason="the actor is gone")
            self._scope = None

    async def _sweep(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                while self._ports:
                    await trio.sleep_until(self._ports[0].deadline)
                    now = trio.current_time()
                    while self._ports and (self._ports[0].done or self._ports[0].deadline <= now):
                        self._ports.popleft().fail(CallTimeout(self._actor, self.seconds))
        finally:
            if self._scope is scope:
                self._scope = None
