"""One child: its record, and the task that is its life.

Each incarnation is a task in the supervisor's nursery under a *shielded* cancel scope of its own. The shield is what
makes an ordered stop possible: an outer cancellation reaches only the supervisor's task, which then releases the
children one by one. Readiness does not go through `nursery.start`: its `started()` does nothing once the scope around
it is cancelled, and a shielded child would then stay in the starting nursery for ever. `Readiness` below speaks the
same `task_status` protocol and tells the supervisor instead, whose own wait stays cancellable throughout.
"""

from __future__ import annotations

import contextvars
import math
import random
from typing import TYPE_CHECKING, Literal, Protocol

import attrs
import outcome
import trio

from logconf.context import clear_context, current_correlation_id
from supervision import faults
from supervision.spec import ChildSpec

if TYPE_CHECKING:
    from supervision.requests import Request

State = Literal["starting", "running", "restarting", "stopping", "overrun", "stopped", "finished", "parked"]
Rest = Literal["stopped", "finished", "parked"]
Asked = Literal["stop", "deadline", "hung"]


@attrs.frozen
class Exit:
    """How a child ended: one word, the exception if there was one, and when (`trio.current_time()`)."""

    reason: str
    cause: BaseException | None
    at: float


@attrs.frozen
class ChildInfo:
    """A child as it is at this moment.

    state -- "starting" | "running" | "restarting" (due, but down) | "stopping" | "overrun" | "stopped" | "finished" |
        "parked".
    incarnation -- entries so far, failed starts included; restarts -- the automatic ones among them.
    started_at -- when the present incarnation became ready (`trio.current_time()`), None otherwise.
    last_exit -- how the last incarnation ended.
    children -- those of a child supervisor, empty for a worker.
    recent_restarts -- the restarts charged to it in its supervisor's present window.
    """

    id: str
    state: State
    incarnation: int = 0
    restarts: int = 0
    started_at: float | None = None
    last_exit: Exit | None = None
    children: tuple[ChildInfo, ...] = ()
    recent_restarts: int = 0


@attrs.frozen
class Ending:
    """What the task saw of its end: an exception, a plain return, or a cancellation that its scope absorbed."""

    error: BaseException | None
    cancelled: bool
    at: float
    correlation_id: str | None = None  # what it worked under at that moment


class Keeper(Protocol):
    """What a child's task tells the supervisor's task; both methods only take a note."""

    def note_ready(self, child: Child) -> None:
        """The child said `started()`."""

    def note_ended(self, child: Child) -> None:
        """The child's task is about to end; `child.ending` says how."""


@attrs.define(eq=False)
class Child:
    """The supervisor's notes on one child. Its own task writes readiness, beats and its ending, nothing else."""

    spec: ChildSpec
    keeper: Keeper
    owner: Child | None  # the child, one level up, in which this one's supervisor runs
    order: int
    wanted: bool = True
    rest: Rest = "stopped"
    incarnation: int = 0
    restarts: int = 0
    row: int = 0  # restarts in a row, for the back-off
    alive: bool = False
    scope: trio.CancelScope | None = None
    ready_at: float | None = None
    beat_at: float = -math.inf
    asked: Asked | None = None
    overrun: bool = False
    abandoned: bool = False  # nobody waits for it any more: overrun, and the supervisor fails for it
    doomed: bool = False  # a group restart stops it
    discard: bool = False  # its spec goes with it, as a temporary child's does
    ending: Ending | None = None
    alarm: tuple[float, int] | None = None
    starter: Request | None = None  # who waits for it to be ready
    waiters: list[Request] = attrs.field(factory=list)  # who wait for it to be gone
    last_exit: Exit | None = None
    correlation_id: str | None = None
    random: random.Random | None = None

    @property
    def id(self) -> str:
        """The id in its specification."""
        return self.spec.id

    @property
    def state(self) -> State:
        """The state, as `ChildInfo.state` lists them."""
        if not self.alive:
            if self.wanted:
                return "restarting" if self.incarnation else "stopped"
            return self.rest
        if self.overrun:
            return "overrun"
        if self.asked is not None:
            return "stopping"
        return "starting" if self.ready_at is None else "running"


class Readiness:
    """The `task_status` of one incarnation."""

    __slots__ = ("_child", "_incarnation")

    def __init__(self, child: Child) -> None:
        self._child = child
        self._incarnation = child.incarnation

    @trio.lowlevel.enable_ki_protection
    def started(self, value: object = None) -> None:
        """Say that the child is ready. Once it is being stopped this does nothing; twice is a RuntimeError."""
        child = self._child
        if child.incarnation != self._incarnation or not child.alive:
            return
        if child.ready_at is not None:
            raise RuntimeError("called 'started' twice on the same task status")
        assert child.scope is not None
        if child.scope.cancel_called:
            return
        if faults.active is not None:
            faults.point("start.after", child.id)
        child.ready_at = child.beat_at = trio.current_time()
        child.keeper.note_ready(child)


current_child: contextvars.ContextVar[Child | None] = contextvars.ContextVar("supervision_child", default=None)


def heartbeat() -> None:
    """Say that the child this is called in is alive. Outside a child, or in one that is not watched: nothing."""
    child = current_child.get()
    if child is not None:
        child.beat_at = trio.current_time()


@trio.lowlevel.disable_ki_protection
async def _run(child: Child) -> None:
    if faults.active is not None:
        await faults.async_point("start.before", child.id)
    await child.spec.start(*child.spec.args, task_status=Readiness(child))


async def _within(scope: trio.CancelScope, child: Child) -> None:
    with scope:
        await _run(child)


@trio.lowlevel.enable_ki_protection
async def live(child: Child, scope: trio.CancelScope) -> None:
    """One incarnation, from entry to end. Nothing leaves it but a note: no exception, no cancellation."""
    current_child.set(child)
    clear_context()
    result = await outcome.acapture(_within, scope, child)
    error = result.error if isinstance(result, outcome.Error) else None
    child.ending = Ending(error, scope.cancelled_caught, trio.current_time(), current_correlation_id())
    child.keeper.note_ended(child)
