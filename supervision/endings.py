"""What follows the end of a child. The supervisor's task decides in start order, not in the order of the ends."""

from __future__ import annotations

import attrs
import trio

from supervision import restarting, stopping
from supervision.child import Child
from supervision.errors import ChildHung, ChildStartError
from supervision.lifecycle import Trigger
from supervision.reports import ReportKind
from supervision.snapshots import Exit
from supervision.spec import AutoShutdown, Restart
from supervision.state import Phase, SupervisorState


def settle_all(state: SupervisorState) -> None:
    """Decide about every ending that was noted; during the first start, only about those that cannot wait for its
    end.
    """
    ended, state.ended = state.ended, []
    for child in sorted(ended, key=lambda child: child.order):
        assert child.ending is not None
        started = child.ready_at is not None and child.stop_reason != "stop"  # one that hung, too
        if state.phase is Phase.STARTING and started and child.ending.reason != "interrupted":
            state.disarm(child)
            state.no_grace.pop(child, None)
            state.deferred.append(child)
        else:
            _handle_end(state, child, child.ending)


def _handle_end(state: SupervisorState, child: Child, ending: Exit) -> None:
    """Record the end of one incarnation and decide what follows: the child stays down (`retire`), or is due again."""
    state.disarm(child)
    state.no_grace.pop(child, None)
    if state.entering is child:
        state.entering = None
    in_group, child.to_stop = child.to_stop, False
    child.ending = child.scope = None
    child.last_exit = ending
    child.correlation_id = child.correlation_id or child.worked_under
    if ending.reason == "interrupted":
        assert ending.cause is not None
        state.report(ReportKind.EXIT, child, "interrupted", ending.cause)
        state.errors.append(ending.cause)
        child.retire()
        stopping.begin(state)
    elif child.stop_reason == "stop" or not child.should_run:
        _stopped(state, child, ending)
    elif child.ready_at is None:
        _start_failed(state, child, ending, in_group=in_group)
    else:
        _went_down(state, child, ending, uptime=ending.at - child.ready_at, in_group=in_group)
    child.stop_reason = None
    if child.should_run:
        child.move(Trigger.RESTART)
    elif child.drop_when_down:
        state.drop(child)
    replies, child.stop_replies = child.stop_replies, []
    for reply in replies:
        reply.answer()


def _stopped(state: SupervisorState, child: Child, ending: Exit) -> None:
    """Handle the end of a child that was asked to stop. However it ended is reported, but not restarted or raised."""
    if child.stop_reason is None:
        state.report(ReportKind.EXIT, child, ending.reason, ending.cause)
    elif ending.reason == "failed":
        state.report(ReportKind.SHUTDOWN_ERROR, child, "failed", ending.cause)
    elif ending.reason == "returned":
        improper = child.spec.restart is Restart.PERMANENT
        state.report(ReportKind.SHUTDOWN_ERROR if improper else ReportKind.STOPPED, child, "returned")
    else:
        state.report(ReportKind.STOPPED, child, "stopped")
    child.correlation_id = None
    if child.should_run:
        return  # a group restart starts it again
    child.retire()
    _refuse_start(child, "was stopped while it started", ending.cause)


def _start_error(child: Child, what: str, cause: BaseException | None) -> ChildStartError:
    error = ChildStartError(child.id, f"child {child.id!r} {what}")
    error.__cause__ = cause
    return error


def _refuse_start(child: Child, what: str, cause: BaseException | None) -> None:
    if child.start_reply is not None:
        child.start_reply.refuse(_start_error(child, what, cause))
        child.start_reply = None


def _start_failed(state: SupervisorState, child: Child, ending: Exit, *, in_group: bool) -> None:
    what, cause = "failed to start", ending.cause
    if child.stop_reason == "deadline":
        what = f"was not ready within {child.spec.start_deadline:g} s"
        late = trio.TooSlowError(what)
        late.__cause__, cause = cause, late
    elif ending.reason == "returned":
        what = "returned before it was ready"
    elif ending.reason == "cancelled":
        what = "was cancelled before it was ready"
    state.report(ReportKind.START_FAILED, child, what, cause)
    if child.start_reply is not None:
        child.retire()
        _refuse_start(child, what, cause)
    elif state.phase is Phase.STARTING:
        state.errors.append(_start_error(child, what, cause))
        stopping.begin(state)
    elif not in_group:
        restarting.note_failure(state, child, what, cause, 0.0)


def _went_down(state: SupervisorState, child: Child, ending: Exit, *, uptime: float, in_group: bool) -> None:
    reason, cause = ending.reason, ending.cause
    if child.stop_reason == "hung":
        hung = ChildHung(child.id, f"child {child.id!r} gave no heartbeat for {child.spec.heartbeat:g} s")
        hung.__cause__ = cause
        reason, cause = "hung", hung
        child.last_exit = attrs.evolve(ending, reason=reason, cause=cause)
    state.report(ReportKind.EXIT, child, reason, cause)
    if child.spec.restart is Restart.TEMPORARY:
        child.retire()
    elif child.spec.restart is Restart.TRANSIENT and reason == "returned":
        child.retire(Trigger.FINISH)
    else:
        if not in_group:
            restarting.note_failure(state, child, reason, cause, uptime)
        return
    if child.spec.significant:
        _perhaps_shut_down(state, child)


def _perhaps_shut_down(state: SupervisorState, child: Child) -> None:
    """A significant child has ended for good and by itself: shut the supervisor down if `auto_shutdown` asks for it."""
    others = (other for other in state.children.values() if other is not child and other.spec.significant)
    any_is_enough = state.options.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT
    if any_is_enough or not any(other.alive or other.should_run for other in others):
        stopping.begin(state)
