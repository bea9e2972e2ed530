"""One incarnation of a child: its task, its readiness, and how it ended.

Each incarnation is a task in the supervisor's nursery under a *shielded* cancel scope of its own. The shield makes an
ordered stop possible: an outer cancellation reaches only the supervisor's task, which then stops the children one by
one. Readiness does not use `nursery.start`, because its `started()` does nothing once the scope around it is cancelled,
and a shielded child would then stay in the starting nursery for ever. `Readiness` below has the same `task_status`
protocol and notifies the supervisor instead, whose own wait can be cancelled at any time.

An ending is classified in this order. First: if any leaf exception is neither an `Exception` nor `Cancelled`
(KeyboardInterrupt, SystemExit), the ending is an interrupt, which is raised. Second: if any leaf is an `Exception`, it
is a failure, and its cause is the whole group; `except Exception` would miss `BaseExceptionGroup[Cancelled,
ValueError]`. Third: it was a cancellation. As each child runs under a shielded scope of its own, the supervisor
requested it, and the scope has absorbed it. A `Cancelled` that is raised through the scope was raised by other code
(stored and raised again, for example) and belongs to no scope around it, so it is a failure.
"""

from __future__ import annotations

from types import FrameType

import outcome
import trio

from logconf.context import clear_context, current_correlation_id
from supervision import faults
from supervision.child import Child, current_child
from supervision.errors import leaves
from supervision.lifecycle import Trigger
from supervision.snapshots import Exit
from supervision.state import SupervisorState


class Readiness:
    """The `task_status` of one incarnation."""

    __slots__ = ("_child", "_incarnation", "_state")

    def __init__(self, state: SupervisorState, child: Child) -> None:
        self._state = state
        self._child = child
        self._incarnation = child.incarnation

    @trio.lowlevel.enable_ki_protection
    def started(self, value: object = None) -> None:
        """Report that the child is ready. Does nothing once the child is being stopped. A second call raises
        RuntimeError.
        """
        child = self._child
        if child.incarnation != self._incarnation or not child.alive:
            return
        if child.ready_at is not None:
            raise RuntimeError("called 'started' twice on the same task status")
        assert child.scope is not None
        if child.scope.cancel_called:
            return
        if faults.active is not None:
            faults.point(faults.START_AFTER, child.id)
        child.move(Trigger.READY)
        child.ready_at = child.beat_at = trio.current_time()
        self._state.note_ready(child)


@trio.lowlevel.disable_ki_protection
async def _run(state: SupervisorState, child: Child) -> None:
    if faults.active is not None:
        await faults.async_point(faults.START_BEFORE, child.id)
    await child.spec.start(*child.spec.args, task_status=Readiness(state, child))


def running_child(frame: FrameType | None) -> str:
    """The id of the innermost child whose code `frame` belongs to; "" if it belongs to none."""
    while frame is not None:
        if frame.f_code is _run.__code__:
            child: Child = frame.f_locals["child"]
            return child.id
        frame = frame.f_back
    return ""


async def _run_in_scope(scope: trio.CancelScope, state: SupervisorState, child: Child) -> None:
    with scope:
        await _run(state, child)


@trio.lowlevel.enable_ki_protection
async def run_incarnation(state: SupervisorState, child: Child, scope: trio.CancelScope) -> None:
    """Run one incarnation, from its entry to its end. It notes its end and raises nothing, neither errors nor
    cancellations.
    """
    current_child.set(child)
    clear_context()
    result = await outcome.acapture(_run_in_scope, scope, state, child)
    error = result.error if isinstance(result, outcome.Error) else None
    child.ending = classify_end(error, cancelled=scope.cancelled_caught, at=trio.current_time())
    child.worked_under = current_correlation_id()
    state.note_ended(child)


def classify_end(error: BaseException | None, *, cancelled: bool, at: float) -> Exit:
    """Classify an ending: "returned", "cancelled", "failed" or "interrupted", with its cause.

    `error` is what left the child's scope; `cancelled` says whether the scope absorbed a cancellation.
    """
    if error is None:
        return Exit("cancelled" if cancelled else "returned", None, at)
    if any(not isinstance(leaf, Exception | trio.Cancelled) for leaf in leaves(error)):
        return Exit("interrupted", error, at)
    return Exit("failed", error, at)
