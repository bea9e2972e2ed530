"""What the end of a child leads to. Judged in start order by the supervisor's task, whoever ended first."""

from __future__ import annotations

import trio

from supervision import restarting, stopping
from supervision.child import Child, Ending, Exit
from supervision.errors import ChildHung, ChildStartError
from supervision.requests import StartChild
from supervision.spec import AutoShutdown, Restart
from supervision.state import STARTING, STOPPING, Run
from supervision.verdict import Verdict, judge


def settle_all(run: Run) -> None:
    """Judge every ending that has come in; of those during the first start, only what cannot wait for its end."""
    ended, run.ended = run.ended, []
    for child in sorted(ended, key=lambda child: child.order):
        assert child.ending is not None
        verdict = judge(child.ending)
        started = child.ready_at is not None and child.asked is None
        if run.phase == STARTING and started and verdict.word != "interrupted":
            run.deferred.append(child)
        else:
            settle(run, child, child.ending, verdict)


def settle(run: Run, child: Child, ending: Ending, verdict: Verdict) -> None:
    """Close the books on one incarnation and decide what follows."""
    run.disarm(child)
    run.hurried.pop(child, None)
    if run.entering is child:
        run.entering = None
    asked, child.asked = child.asked, None
    taken_along, child.doomed = child.doomed, False
    child.ending = child.scope = None
    child.overrun = child.abandoned = False
    child.last_exit = Exit(verdict.word, verdict.cause, ending.at)
    child.correlation_id = child.correlation_id or ending.correlation_id
    if verdict.word == "interrupted":
        _interrupted(run, child, verdict)
    elif run.phase == STOPPING or asked == "stop" or not child.wanted:
        _stopped(run, child, asked, verdict)
    elif child.ready_at is None:
        _start_failed(run, child, asked, verdict, taken_along=taken_along)
    else:
        _went_down(run, child, asked, verdict, uptime=ending.at - child.ready_at, taken_along=taken_along)
    waiters, child.waiters = child.waiters, []
    for waiter in waiters:
        waiter.answer(None)


def _interrupted(run: Run, child: Child, verdict: Verdict) -> None:
    assert verdict.cause is not None
    run.tell("exit", child, "interrupted", verdict.cause)
    run.wrong.append(verdict.cause)
    child.wanted = False
    child.rest = "stopped"
    stopping.begin(run)


def _stopped(run: Run, child: Child, asked: str | None, verdict: Verdict) -> None:
    """It was to stop: whatever it did instead of that is reported, and never restarted or raised."""
    if asked is None:
        run.tell("exit", child, verdict.word, verdict.cause)
    elif verdict.word == "failed":
        run.tell("shutdown_error", child, "failed", verdict.cause)
    elif verdict.word == "returned":
        improper = child.spec.restart is Restart.PERMANENT
        run.tell("shutdown_error" if improper else "stopped", child, "returned")
    else:
        run.tell("stopped", child, "stopped")
    child.correlation_id = None
    if child.wanted and run.phase != STOPPING:
        return  # a group restart starts it again
    child.rest = "stopped"
    if child.starter is not None:
        starter, child.starter = child.starter, None
        starter.refuse(_start_error(child, "was stopped while it started", verdict.cause))
        if isinstance(starter, StartChild):
            run.drop(child)
    if child.spec.restart is Restart.TEMPORARY or child.discard:
        run.drop(child)


def _start_error(child: Child, what: str, cause: BaseException | None) -> ChildStartError:
    error = ChildStartError(child.id, f"child {child.id!r} {what}")
    error.__cause__ = cause
    return error


def _start_failed(run: Run, child: Child, asked: str | None, verdict: Verdict, *, taken_along: bool) -> None:
    what, cause = "failed to start", verdict.cause
    if asked == "deadline":
        what = f"was not ready within {child.spec.start_deadline:g} s"
        late = trio.TooSlowError(what)
        late.__cause__, cause = cause, late
    elif verdict.word == "returned":
        what = "returned before it was ready"
    elif verdict.word == "cancelled":
        what = "was cancelled before it was ready"
    run.tell("start_failed", child, what, cause)
    if child.starter is not None:
        starter, child.starter = child.starter, None
        child.wanted = False
        child.rest = "stopped"
        if isinstance(starter, StartChild):
            run.drop(child)
        starter.refuse(_start_error(child, what, cause))
    elif run.phase == STARTING:
        run.wrong.append(_start_error(child, what, cause))
        stopping.begin(run)
    elif not taken_along:
        restarting.note_failure(run, child, what, cause, 0.0)


def _went_down(
    run: Run, child: Child, asked: str | None, verdict: Verdict, *, uptime: float, taken_along: bool
) -> None:
    word, cause = verdict.word, verdict.cause
    if asked == "hung":
        hung = ChildHung(child.id, f"child {child.id!r} gave no heartbeat for {child.spec.heartbeat:g} s")
        hung.__cause__ = cause
        word, cause = "hung", hung
        child.last_exit = Exit(word, cause, trio.current_time())
    run.tell("exit", child, word, cause)
    if child.spec.restart is Restart.TEMPORARY:
        child.wanted = False
        run.drop(child)
    elif child.spec.restart is Restart.TRANSIENT and word == "returned":
        child.wanted = False
        child.rest = "finished"
    else:
        if not taken_along:
            restarting.note_failure(run, child, word, cause, uptime)
        return
    _perhaps_shut_down(run, child)


def _perhaps_shut_down(run: Run, child: Child) -> None:
    """A child has ended for good, by itself: the supervisor may be done with it."""
    if not child.spec.significant:
        return
    rule = run.options.auto_shutdown
    others = (other for other in run.children.values() if other is not child and other.spec.significant)
    if rule is AutoShutdown.ANY_SIGNIFICANT or not any(other.alive or other.wanted for other in others):
        stopping.begin(run)
