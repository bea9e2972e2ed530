"""Starting children. If starts have an order, each child starts once the one before it is ready."""

from __future__ import annotations

import trio

from supervision import incarnations
from supervision.child import Child
from supervision.lifecycle import Trigger
from supervision.replies import Reply
from supervision.reports import ReportKind
from supervision.spec import Restart
from supervision.state import Phase, SupervisorState


def enter(state: SupervisorState, child: Child) -> None:
    """Start an incarnation. Its end is reported through `note_ended`, however it ends."""
    assert state.nursery is not None
    assert state.phase is not Phase.STOPPING
    child.move(Trigger.ENTER)
    child.should_run = True
    child.incarnation += 1
    child.ready_at = child.stop_reason = child.ending = None
    scope = child.scope = trio.CancelScope(shield=True)
    state.living += 1
    state.report(ReportKind.START, child)
    if child.spec.start_deadline is not None:
        state.arm_deadline(child, trio.current_time() + child.spec.start_deadline)
    state.nursery.start_soon(
        incarnations.run_incarnation, state, child, scope, name=f"{state.reporter.path}/{child.id}"
    )


def enter_by_hand(state: SupervisorState, child: Child, reply: Reply) -> None:
    """`enter` for a request: the count of failures starts anew, and the child takes its turn if starts have an
    order.
    """
    child.requested_by = child.start_reply = reply
    child.correlation_id = reply.correlation_id
    child.consecutive_failures = 0
    if state.options.grouped:
        state.entering = child
    enter(state, child)


def note_ready(state: SupervisorState, child: Child) -> None:
    """A child is ready: report it, watch its heartbeat, answer the callers that wait for it, and start the next one."""
    if state.entering is child:
        state.entering = None
    state.disarm(child)
    state.report(ReportKind.READY, child)
    child.correlation_id = None
    if child.spec.heartbeat is not None and child.stop_reason is None:
        state.arm_deadline(child, child.beat_at + child.spec.heartbeat)
    if child.start_reply is not None:
        child.start_reply.answer(state.info(child))
        child.start_reply = None
        child.drop_when_down = child.spec.restart is Restart.TEMPORARY


def advance(state: SupervisorState) -> None:
    """Start the children that are due and may start now: in a pool all at once, else one, for which the next ones
    wait.
    """
    if state.phase is Phase.STOPPING or state.to_stop or state.entering is not None:
        return
    pool = state.phase is Phase.UP and not state.options.grouped
    while state.due:
        child = state.due.popleft()
        if not child.should_run or child.alive:
            continue
        if pool:
            state.report(ReportKind.RESTART, child, "restart")
        else:
            state.entering = child
        child.restarts += child.incarnation > 0
        enter(state, child)
        if not pool:
            return
    if state.phase is Phase.STARTING:
        state.phase = Phase.UP
        state.ended += state.deferred
        state.deferred = []
        state.signal.set()
