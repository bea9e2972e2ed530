"""Entering children: one by one in start order where there is an order, each once the one before it is ready."""

from __future__ import annotations

from collections import deque

import trio

from supervision import child as life
from supervision.child import Child
from supervision.state import STARTING, STOPPING, UP, Run, edge


def begin(run: Run) -> None:
    """Make every child due: the first start."""
    run.due = deque(run.children.values())


def enter(run: Run, child: Child) -> None:
    """Start an incarnation. Its end comes back through `note_ended`, whatever happens."""
    assert run.nursery is not None
    assert not child.alive, "incarnation N+1 never starts while N lives"
    assert run.phase != STOPPING
    child.incarnation += 1
    child.alive = child.wanted = True
    child.ready_at = child.asked = child.ending = None
    scope = child.scope = trio.CancelScope(shield=True)
    run.live += 1
    run.tell("start", child)
    if child.spec.start_deadline is not None:
        run.arm(child, edge(trio.current_time() + child.spec.start_deadline))
    run.nursery.start_soon(life.live, child, scope, name=f"{run.reporter.path}/{child.id}")


def enter_by_hand(run: Run, child: Child) -> None:
    """`enter` for a request: a fresh row of failures, and its turn in the order where there is one."""
    child.row = 0
    if run.options.grouped:
        run.entering = child
    enter(run, child)


def restart(run: Run, child: Child) -> None:
    """`enter` for the supervisor's own account."""
    child.restarts += child.incarnation > 0
    enter(run, child)


def note_ready(run: Run, child: Child) -> None:
    """A child is ready: report it, watch its heartbeat, answer who waits, let the next one in."""
    if run.entering is child:
        run.entering = None
    run.disarm(child)
    run.tell("ready", child)
    child.correlation_id = None
    if child.spec.heartbeat is not None and child.asked is None:
        run.arm(child, edge(child.beat_at + child.spec.heartbeat))
    if child.starter is not None:
        child.starter.answer(run.info(child))
        child.starter = None


def advance(run: Run) -> None:
    """Enter what is due and may be entered now."""
    if run.phase == STOPPING or run.doomed or run.entering is not None:
        return
    if run.phase == UP and not run.options.grouped:
        while run.due:
            child = run.due.popleft()
            if child.wanted and not child.alive:
                run.tell("restart", child, "restart")
                restart(run, child)
        return
    while run.due:
        child = run.due.popleft()
        if child.wanted and not child.alive:
            run.entering = child
            restart(run, child)
            return
    if run.phase == STARTING:
        run.phase = UP
        run.ended += run.deferred
        run.deferred = []
        run.signal.set()
