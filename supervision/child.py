"""The supervisor's record of one child, and how code finds the child that it runs in."""

from __future__ import annotations

import contextvars
import math
import random
from collections.abc import Callable
from typing import Literal

import attrs
import trio

from supervision.lifecycle import LIVING, ChildState, Trigger, step
from supervision.replies import Reply
from supervision.reports import Reporter
from supervision.snapshots import Exit
from supervision.spec import ChildSpec, Restart

StopReason = Literal["stop", "deadline", "hung"]


@attrs.define(eq=False)
class Child:
    """One child of one run. Its own task writes its readiness, heartbeats and ending; the supervisor's task writes
    the rest.
    """

    spec: ChildSpec
    reporter: Reporter  # its supervisor's
    owner: Child | None  # the child, one level up, in which this one's supervisor runs
    order: int
    state: ChildState = ChildState.PENDING
    should_run: bool = True  # the supervisor starts it again when it has ended, unless its end says otherwise
    stop_reason: StopReason | None = None  # why its scope was cancelled
    to_stop: bool = False  # a group restart stops it
    drop_when_down: bool = False  # its spec goes with it
    incarnation: int = 0
    restarts: int = 0
    consecutive_failures: int = 0
    scope: trio.CancelScope | None = None
    ready_at: float | None = None
    beat_at: float = -math.inf
    ending: Exit | None = None  # how it ended, until the supervisor has decided what follows
    last_exit: Exit | None = None
    alarm: tuple[float, int] | None = None
    requested_by: Reply | None = None  # the last request that started it
    start_reply: Reply | None = None  # the request that waits for it to be ready
    stop_replies: list[Reply] = attrs.field(factory=list)  # the requests that wait for it to be gone
    on_retired: list[Callable[[ChildState], None]] = attrs.field(factory=list)
    correlation_id: str | None = None  # of the request that its reports belong to
    worked_under: str | None = None  # its task's own correlation ID when it ended
    random: random.Random | None = None

    @property
    def id(self) -> str:
        """The id of its specification."""
        return self.spec.id

    @property
    def alive(self) -> bool:
        """Whether its task lives."""
        return self.state in LIVING

    @property
    def shown_state(self) -> ChildState:
        """The state as `ChildInfo.state` lists them."""
        if self.state is ChildState.PENDING:
            return ChildState.STOPPED
        if self.state is ChildState.ENDED:
            return ChildState.RESTARTING if self.should_run else ChildState.STOPPED
        return self.state

    def move(self, trigger: Trigger) -> None:
        """Make one transition of the table. Raises RuntimeError if the table has none from the present state."""
        after = step(self.state, trigger)
        if after is None:
            raise RuntimeError(f"child {self.id!r} is {self.state}: {trigger.value!r} cannot happen to it")
        self.state = after

    def retire(self, trigger: Trigger = Trigger.RETIRE) -> None:
        """Do not restart the child automatically any more: it is down from now on, or once its task has ended.

        `trigger` is RETIRE, FINISH or PARK. Calls the functions in `on_retired` once, with the state in which the child
        stays.
        """
        self.should_run = False
        self.state = step(self.state, trigger) or self.state
        hooks, self.on_retired = self.on_retired, []
        for hook in hooks:
            hook(ChildState.STOPPED if self.alive else self.state)

    def may_restart(self, *, failed: bool) -> bool:
        """Whether the supervisor could restart the child if it ended now. When that becomes False, `on_retired` is
        called.
        """
        if self.spec.restart is Restart.TRANSIENT and not failed:
            return self.should_run and (self.stop_reason is not None or self.to_stop)
        return self.should_run and self.spec.restart is not Restart.TEMPORARY


current_child: contextvars.ContextVar[Child | None] = contextvars.ContextVar("supervision_child", default=None)


def heartbeat() -> None:
    """Report that the child in which this is called is alive.

    Does nothing outside a child, and in a child without a `heartbeat` in its specification.
    """
    child = current_child.get()
    if child is not None:
        child.beat_at = trio.current_time()
