"""Stopping children: last started first, each gone before the next is asked, each with its own limit."""

from __future__ import annotations

import trio

from supervision.child import Child
from supervision.errors import ShutdownOverrun, SupervisionError
from supervision.spec import Overrun, Stop
from supervision.state import STOPPING, Run, edge

# shutdown=0 allows a child no wait. Its Cancelled is delivered in the next turn of trio's scheduler, one more lets a
# nursery inside it close, one more lets that nursery's own parent; a child that is still there then is waiting.
HURRIED_TURNS = 4


def ask(run: Run, child: Child, why: str = "stop") -> None:
    """Cancel a child's scope and start its shutdown limit. Asking again changes the reason only towards "stop"."""
    if not child.alive or child.asked == "stop":
        return
    already = child.asked is not None
    if why == "stop":
        child.asked = "stop"
        run.tell("stopping", child)
    elif why == "deadline":
        child.asked = "deadline"
    else:
        child.asked = "hung"
    if already:
        return
    assert child.scope is not None
    limit = child.spec.shutdown_limit
    if limit == 0:
        run.disarm(child)
        run.hurried[child] = HURRIED_TURNS
    else:
        run.arm(child, edge(trio.current_time() + limit))
    child.scope.cancel(reason=why)


def doom(run: Run, children: list[Child]) -> None:
    """Let these, alive, be stopped in reverse start order before anything else starts."""
    run.doomed = sorted({*run.doomed, *children}, key=lambda child: child.order)


def advance(run: Run) -> None:
    """Ask the last of the doomed, once those after it are gone."""
    doomed = run.doomed
    while doomed:
        child = doomed[-1]
        if child.alive and not child.abandoned:
            if child.asked is None:
                ask(run, child)
            return
        doomed.pop()


def outlived(run: Run, child: Child, limit: str) -> None:
    """A child is still there past its limit: report it, and fail for it where that is the policy."""
    if child.overrun:
        return
    child.overrun = True
    run.disarm(child)
    run.tell("overrun", child, limit)
    if run.options.overrun is not Overrun.ESCALATE:
        return
    child.abandoned = True
    if not any(isinstance(error, ShutdownOverrun) for error in run.wrong):
        run.wrong.append(ShutdownOverrun(child.id, f"child {child.id!r} outlived its {limit}"))
    begin(run)


def hurry(run: Run) -> None:
    """Count down the children that were given no time."""
    for child, turns in list(run.hurried.items()):
        if not child.alive:
            del run.hurried[child]
        elif turns > 0:
            run.hurried[child] = turns - 1
        else:
            del run.hurried[child]
            outlived(run, child, "shutdown limit")


def begin(run: Run) -> None:
    """Stop everything: no start begins from here on, requests are refused, those in flight too."""
    if run.phase == STOPPING:
        return
    run.phase = STOPPING
    run.stop_by = trio.current_time() + run.options.shutdown_deadline
    run.due.clear()
    run.retry = run.entering = None
    run.ended += run.deferred
    run.deferred = []
    for child in run.children.values():
        child.wanted = False
        if not child.alive:
            run.disarm(child)
    if run.closing is not None:
        run.closing()  # before the refusals: a block that waits for an answer is cancelled, it has not failed
    refuse_all(run)
    run.doomed = [child for child in run.children.values() if child.alive]
    if run.options.stop is Stop.TOGETHER:
        for child in reversed(run.doomed):
            ask(run, child)


def past_deadline(run: Run) -> None:
    """The time for the whole stop is over: what remains is cancelled, all at once, and overrun."""
    run.stop_by = float("inf")
    for child in reversed(list(run.children.values())):
        if child.alive:
            ask(run, child)
            outlived(run, child, "supervisor's shutdown deadline")


def refuse_all(run: Run) -> None:
    """Answer every request that waits: it will not be served."""
    waiting = list(run.requests)
    run.requests.clear()
    for child in run.children.values():
        waiting += child.waiters
        child.waiters = []
        if child.starter is not None:
            waiting.append(child.starter)
            child.starter = None
    for request in waiting:
        request.refuse(SupervisionError(f"supervisor {run.reporter.path!r} is stopping"))
