"""What a failure leads to: a restart of one child or of its group, at once or after a delay, or giving up.

Two limits end in giving up: the restarts in the window of the supervisor (`restart_window`), and the failures of one
child in a row (`backoff`). A restart is only noted here (`due`, `retry`); `starting.advance` makes it.
"""

from __future__ import annotations

import traceback
from collections import deque

import trio

from supervision import stopping
from supervision.backoff import Backoff
from supervision.child import Child
from supervision.errors import RestartIntensityReached, SupervisionError, leaves
from supervision.lifecycle import Trigger
from supervision.reports import ReportKind
from supervision.spec import OnGiveUp, Restart, Strategy
from supervision.state import Retry, SupervisorState

_LONGEST = 500
"""The most characters of an error's text that are put into our message."""


def note_failure(state: SupervisorState, child: Child, reason: str, cause: BaseException | None, uptime: float) -> None:
    """Count a child's failure and schedule its restart, or give up if a limit is reached."""
    window = state.window
    backoff = child.spec.backoff or state.options.backoff
    if backoff.healthy(uptime):
        child.consecutive_failures = 0
    if window.full(trio.current_time()):
        limit = f"more than {window.max_restarts} restarts in {window.period:g} s"
        _give_up(state, child, limit, cause)
    elif backoff.max_failures is not None and child.consecutive_failures >= backoff.max_failures:
        _give_up(state, child, f"more than {backoff.max_failures} failures in a row", cause)
    else:
        window.spend(trio.current_time(), child.id, reason)
        delay = _delay(child, backoff)
        child.consecutive_failures += 1
        if state.options.grouped:
            _restart_group(state, child, delay)
        elif delay > 0:
            _wait(state, child, delay)
        else:
            state.due.append(child)


def _delay(child: Child, backoff: Backoff) -> float:
    if child.random is None:
        child.random = backoff.source(child.id)
    return backoff.delay(child.consecutive_failures, child.random)


def _wait(state: SupervisorState, child: Child, delay: float) -> None:
    state.report(ReportKind.BACKOFF, child, "restart", delay=delay)
    state.arm(child, trio.current_time() + delay)


def _give_up(state: SupervisorState, child: Child, limit: str, cause: BaseException | None) -> None:
    """A child failed beyond its limits: park it, or let the supervisor fail."""
    state.report(ReportKind.GIVE_UP, child, limit, cause)
    if child.spec.on_give_up is OnGiveUp.PARK:
        child.retire(Trigger.PARK)
        state.window.forget(child.id)
        return  # in a group the rest of what was due goes on starting
    error = RestartIntensityReached(child.id, f"child {child.id!r}: {limit}{_last(cause)}", state.window.history())
    error.__cause__ = cause
    state.errors.append(error)
    stopping.begin(state)


def _last(cause: BaseException | None) -> str:
    """The last cause in one line, for the message that the child failed too often."""
    if cause is None:
        return ""
    leaf = next(leaves(cause))
    if isinstance(leaf, SupervisionError):
        return f"; {leaf}"  # of the supervisor below, and it says so itself
    words = " ".join("".join(traceback.format_exception_only(leaf)).split())
    return f"; the last: {words[:_LONGEST]}"


def _restart_group(state: SupervisorState, child: Child, delay: float) -> None:
    """Stop the surviving children at once. Then the delay runs; then all that were running or due start in order."""
    pending = None if state.retry is None else state.retry.child
    if pending is None or state.options.strategy is Strategy.ONE_FOR_ALL or child.order <= pending.order:
        _replace_retry(state, Retry(child, delay))  # this restart takes a pending one along
    state.due.clear()
    survivors = []
    for other in state.children.values():
        touched = other is not child and (state.options.strategy is Strategy.ONE_FOR_ALL or other.order > child.order)
        if touched and (other.alive or other.ending is not None):  # ended, not judged yet: the two failed together
            other.to_stop = True
            if other.spec.restart is Restart.TEMPORARY:
                other.retire()
            if other.alive:
                survivors.append(other)
    stopping.stop_in_order(state, survivors)


def _replace_retry(state: SupervisorState, retry: Retry) -> None:
    if state.retry is not None and state.retry.child is not None:
        state.disarm(state.retry.child)
    state.retry = retry


def advance_group(state: SupervisorState) -> None:
    """Once the surviving children of a group have stopped, let the delay run, or start the group."""
    retry = state.retry
    if retry is None or retry.waiting or state.to_stop:
        return
    if retry.child is not None and retry.delay > 0:
        retry.waiting = True
        _wait(state, retry.child, retry.delay)
    else:
        start_group(state)


def start_group(state: SupervisorState) -> None:
    """The group's delay is over: every child that is down and should run is due."""
    assert state.retry is not None
    if state.retry.child is not None:
        state.report(ReportKind.RESTART, state.retry.child, "restart")
    state.retry = None
    state.due = deque(child for child in state.children.values() if child.should_run and not child.alive)


def cancel_restart(state: SupervisorState, child: Child) -> None:
    """Do not restart `child`, which is down and due. In a group the others that were due start, and no failure is
    counted.
    """
    child.retire()
    state.disarm(child)
    if state.retry is not None and state.retry.child is child:
        _replace_retry(state, Retry(None, 0.0))


def delay_elapsed(state: SupervisorState, child: Child) -> None:
    """The restart delay of a child, or of its group, is over."""
    if state.options.grouped:
        start_group(state)
    else:
        state.due.append(child)
