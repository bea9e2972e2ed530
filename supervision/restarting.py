"""What a failure leads to: a restart, at once or after a delay, of one child or of a group; or giving up."""

from __future__ import annotations

import traceback
from collections import deque

import trio

from supervision import stopping
from supervision.backoff import Backoff
from supervision.child import Child
from supervision.errors import RestartIntensityReached, SupervisionError
from supervision.spec import OnGiveUp, Restart
from supervision.state import Retry, Run
from supervision.strategy import touched
from supervision.verdict import leaves

_LONGEST = 500
"""Characters of an error's own words in ours."""


def note_failure(run: Run, child: Child, reason: str, cause: BaseException | None, uptime: float) -> None:
    """Charge a child's failure and plan its restart, or give up where a limit is reached."""
    now = trio.current_time()
    backoff = child.spec.backoff or run.options.backoff
    if backoff.healthy(uptime):
        child.row = 0
    if run.window.full(now):
        limit = f"more than {run.window.max_restarts} restarts in {run.window.period:g} s"
        give_up(run, child, limit, cause)
    elif backoff.max_failures is not None and child.row >= backoff.max_failures:
        give_up(run, child, f"more than {backoff.max_failures} failures in a row", cause)
    else:
        run.window.spend(now, child.id, reason)
        delay = _delay(child, backoff)
        child.row += 1
        if run.options.grouped:
            restart_group(run, child, delay)
        else:
            restart_one(run, child, delay)


def _delay(child: Child, backoff: Backoff) -> float:
    if child.random is None:
        child.random = backoff.source(child.id)
    return backoff.delay(child.row, child.random)


def give_up(run: Run, child: Child, limit: str, cause: BaseException | None) -> None:
    """A child fails beyond its limits: park it, or fail for it."""
    run.tell("give_up", child, limit, cause)
    history = run.window.history()
    child.wanted = False
    child.rest = "stopped"
    if child.spec.on_give_up is OnGiveUp.PARK:
        child.rest = "parked"
        run.window.forget(child.id)
        return  # in a group the rest of what was due goes on starting
    error = RestartIntensityReached(child.id, f"child {child.id!r}: {limit}{_last(cause)}", history)
    error.__cause__ = cause
    run.wrong.append(error)
    stopping.begin(run)


def _last(cause: BaseException | None) -> str:
    """What it failed of at last, in one line: whoever reads that it failed too often wants to know of what."""
    if cause is None:
        return ""
    leaf = next(leaves(cause))
    if isinstance(leaf, SupervisionError):
        return f"; {leaf}"  # of the supervisor below, and it says so itself
    words = " ".join("".join(traceback.format_exception_only(leaf)).split())
    return f"; the last: {words[:_LONGEST]}"


def restart_one(run: Run, child: Child, delay: float) -> None:
    """Restart one child and nobody else, after `delay` seconds."""
    if delay > 0:
        run.tell("backoff", child, "restart", delay=delay)
        run.arm(child, trio.current_time() + delay)
    else:
        run.due.append(child)


def restart_group(run: Run, child: Child, delay: float) -> None:
    """Stop the survivors at once; then the delay runs; then all that were running or due start in order."""
    if run.retry is not None and run.retry.child is not None:
        run.disarm(run.retry.child)  # this restart takes that one along
    run.due.clear()
    survivors = []
    for other in touched(run.options.strategy, run.children.values(), child):
        if other.alive or other.ending is not None:  # ended, not judged yet: the two failed together
            other.doomed = True
            if other.spec.restart is Restart.TEMPORARY:
                other.wanted = False
            if other.alive:
                survivors.append(other)
    stopping.doom(run, survivors)
    run.retry = Retry(child, delay)


def start_the_due(run: Run) -> None:
    """Start, in order, those of the group that are down and due, on nobody's account."""
    if run.retry is not None and run.retry.child is not None:
        run.disarm(run.retry.child)
    run.retry = Retry(None, 0.0)


def advance(run: Run) -> None:
    """Once a group's survivors are stopped: let the delay run, or go."""
    retry = run.retry
    if retry is None or retry.waiting or run.doomed:
        return
    if retry.child is not None and retry.delay > 0:
        retry.waiting = True
        run.tell("backoff", retry.child, "restart", delay=retry.delay)
        run.arm(retry.child, trio.current_time() + retry.delay)
    else:
        go(run)


def go(run: Run) -> None:
    """The group's delay is over."""
    assert run.retry is not None
    if run.retry.child is not None:
        run.tell("restart", run.retry.child, "restart")
    run.retry = None
    run.due = deque(child for child in run.children.values() if child.wanted and not child.alive)


def cancel(run: Run, child: Child) -> None:
    """A pending restart of `child` is not wanted any more; in a group the others that were due start."""
    child.wanted = False
    child.rest = "stopped"
    run.disarm(child)
    if run.retry is not None and run.retry.child is child:
        start_the_due(run)


def time_has_come(run: Run, child: Child) -> None:
    """A delay is over."""
    if run.options.grouped:
        go(run)
    else:
        run.due.append(child)
