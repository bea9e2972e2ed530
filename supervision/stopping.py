"""Stopping children in reverse start order: each is asked when the one before has ended, and has its own limit."""

from __future__ import annotations

import math

import trio

from supervision.child import Child, StopReason
from supervision.errors import ShutdownOverrun, SupervisionError
from supervision.lifecycle import ChildState, Trigger
from supervision.reports import ReportKind
from supervision.spec import Overrun, Stop
from supervision.state import Phase, SupervisorState

# shutdown=0 allows a child no wait. Its Cancelled is delivered in the next turn of trio's scheduler, and each nursery
# inside another needs one more to close; a child that is still there after so many is waiting.
NO_GRACE_TURNS = 16


def ask(state: SupervisorState, child: Child, why: StopReason = "stop") -> None:
    """Cancel a child's scope and start its shutdown limit. A second request changes the reason only to "stop"."""
    if not child.alive or child.stop_reason == "stop" or (child.stop_reason is not None and why != "stop"):
        return
    already, child.stop_reason = child.stop_reason is not None, why
    if why == "stop":
        state.report(ReportKind.STOPPING, child)
    if already:
        return
    assert child.scope is not None
    child.move(Trigger.STOP)
    limit = child.spec.shutdown_limit
    if limit == 0:
        state.disarm(child)
        state.no_grace[child] = NO_GRACE_TURNS
    else:
        state.arm_deadline(child, trio.current_time() + limit)
    child.scope.cancel(reason=why)


def stop_in_order(state: SupervisorState, children: list[Child]) -> None:
    """Stop these living children in reverse start order before anything else starts."""
    state.to_stop = sorted({*state.to_stop, *children}, key=lambda child: child.order)


def advance(state: SupervisorState) -> None:
    """Ask the last one of those that are to stop, once those after it have ended."""
    while state.to_stop:
        child = state.to_stop[-1]
        not_awaited = child.state is ChildState.OVERRUN and state.options.overrun is Overrun.ESCALATE
        if child.alive and not not_awaited:
            if child.stop_reason is None:
                ask(state, child)
            return
        state.to_stop.pop()


def outlived(state: SupervisorState, child: Child, limit: str) -> None:
    """A child has not ended within its limit: report it, and let the supervisor fail if that is its policy."""
    if child.state is ChildState.OVERRUN:
        return
    child.move(Trigger.OUTLIVE)
    state.disarm(child)
    state.report(ReportKind.OVERRUN, child, limit)
    if state.options.overrun is not Overrun.ESCALATE:
        return
    if not any(isinstance(error, ShutdownOverrun) for error in state.errors):
        state.errors.append(ShutdownOverrun(child.id, f"child {child.id!r} outlived its {limit}"))
    begin(state)


def tick_no_grace(state: SupervisorState) -> None:
    """Count down the children that have no time to end."""
    for child, turns in list(state.no_grace.items()):
        if turns > 0:
            state.no_grace[child] = turns - 1
        else:
            del state.no_grace[child]
            outlived(state, child, "shutdown limit")


def begin(state: SupervisorState) -> None:
    """Stop everything: from now on nothing is started, and requests are refused, also those in progress."""
    if state.phase is Phase.STOPPING:
        return
    state.phase = Phase.STOPPING
    # The next number: what ends exactly at the deadline is in time.
    state.stop_by = math.nextafter(trio.current_time() + state.options.shutdown_deadline, math.inf)
    state.due.clear()
    state.retry = state.entering = None
    state.ended += state.deferred
    state.deferred = []
    for child in state.children.values():
        child.retire()
        if not child.alive:
            state.disarm(child)
    state.on_stopping()  # before the refusals: a block that waits for an answer is cancelled, it has not failed
    refuse_all(state)
    state.to_stop = [child for child in state.children.values() if child.alive]
    if state.options.stop is Stop.TOGETHER:
        for child in reversed(state.to_stop):
            ask(state, child)


def past_deadline(state: SupervisorState) -> None:
    """The time for the whole stop is over: the remaining children are cancelled at once, and are overrun."""
    state.stop_by = math.inf
    for child in reversed(list(state.children.values())):
        if child.alive:
            ask(state, child)
            outlived(state, child, "supervisor's shutdown deadline")


def refuse_all(state: SupervisorState) -> None:
    """Refuse every waiting request, because it will not be served."""
    waiting = [reply for _, reply in state.requests]
    state.requests.clear()
    for child in state.children.values():
        waiting += child.stop_replies
        child.stop_replies = []
        if child.start_reply is not None:
            waiting.append(child.start_reply)
            child.start_reply = None
    for reply in waiting:
        reply.refuse(SupervisionError(f"supervisor {state.reporter.path!r} is stopping"))
