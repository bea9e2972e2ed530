"""The supervisor's task: look at everything that has happened, act, and wait for more; at the end, stop everything.

**Who writes what.** One `SupervisorState` belongs to this task. Other tasks only leave a note in it and set its signal:
a child's task notes that the child is ready or has ended, a caller notes a request (`post`). Everything else is decided
here, in `_step`, which never waits. So decisions have one order and need no lock, and nothing else happens during a
step. Notes may arrive during each wait; the next step finds them all.

**The order in a step.** Readiness and endings come first, each in start order, whatever the scheduler of trio did: so
one seed gives one sequence of reports. Then come deadlines that have passed (what happened exactly at a deadline is in
time, hence after the endings), then requests, then what has become possible: the next stop, a group's restart, the next
start. Stops precede starts, so that nothing is started beside a child that is still to be stopped.

**The phases.** STARTING: the children are started one after the other; requests that start a child wait; the ending of
a child that was ready is handled later. UP: all children were ready once. STOPPING: nothing is started any more,
requests are refused, each child is retired. The phase never goes back, and the run is over when no child lives and
every ending was classified.

**Invariants** between two steps:

- Each listed child is in one state of `lifecycle.TRANSITIONS`; it has a task exactly while that state is a living one.
- A child that should run and is down is in `due`, or has an alarm (its delay), or waits for its group (`retry`), or has
  an ending that was not classified yet. So none is forgotten.
- In a group strategy at most one child is `entering`, and none while `to_stop` is not empty.
- A child has at most one alarm, whose meaning follows from its state: a restart delay if it is down, else its start
  deadline, its heartbeat or its shutdown limit.
- Every caller that waits for an answer is in `requests`, or with its child in `start_reply` or `stop_replies`; each is
  answered once, at the latest when the run is over.

**Interrupts and cancellation.** All of this is protected from KeyboardInterrupt, which then arrives where trio allows
it, at a wait, and is one more reason to stop in order. The same is true of a cancellation from outside, which reaches
this task alone (the children are shielded). While it stops its children this task is shielded as well: a second
interrupt changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import outcome
import trio

from supervision import endings, requests, restarting, starting, stopping
from supervision.child import Child
from supervision.errors import combined
from supervision.reports import ReportKind
from supervision.state import Phase, SupervisorState


@trio.lowlevel.enable_ki_protection
async def supervise(state: SupervisorState, ready: Callable[[], None]) -> None:
    """Run a supervisor from the first start to the last stop, and raise what it ends with."""
    try:
        async with trio.open_nursery(strict_exception_groups=True) as nursery:  # whatever the host's run says
            state.nursery = nursery
            served = await outcome.acapture(_serve, state, ready)
            if isinstance(served, outcome.Error):
                _note(state, served.error)  # whatever it is, the children are stopped first
            await _wind_down(state)
    except BaseExceptionGroup as group:  # an interrupt that met the nursery itself
        state.errors += group.exceptions
    finally:
        state.over = True
        stopping.refuse_all(state)
        state.reporter.close()
    error = combined(state.errors, f"supervisor {state.reporter.path!r}")
    state.errors = []
    try:
        if error is not None:
            raise error
    finally:
        del error  # no cycle through the traceback


async def _serve(state: SupervisorState, ready: Callable[[], None]) -> None:
    """Run until stopping begins: from inside (this returns) or from outside (Cancelled, KeyboardInterrupt)."""
    await trio.lowlevel.checkpoint_if_cancelled()  # the supervisor around this one may have stopped it already
    state.due.extend(state.children.values())
    reported_ready = False
    _step(state)
    while state.phase is not Phase.STOPPING:
        if not reported_ready and state.phase is Phase.UP:
            reported_ready = True
            ready()
        await _wait(state)
        await trio.lowlevel.checkpoint_if_cancelled()  # or a restart could begin after the outer cancellation
        _step(state)


async def _wind_down(state: SupervisorState) -> None:
    """Stop the children, even if this task is cancelled or interrupted meanwhile."""
    _note_readiness(state)
    endings.settle_all(state)  # a failure from before the stop still counts
    stopping.begin(state)
    try:
        with trio.CancelScope(shield=True):  # its deadline is `shutdown_deadline`, past which the policy decides
            while state.living or state.ended:
                _step(state)
                if state.living:
                    await _wait_out(state)
    except BaseException:
        for child in state.children.values():  # a fault of ours: never leave shielded children behind
            if child.scope is not None:
                child.scope.cancel()
        raise


async def _wait_out(state: SupervisorState) -> None:
    try:
        await _wait(state)
    except KeyboardInterrupt as exc:
        _note(state, exc)


def _note(state: SupervisorState, error: BaseException) -> None:
    again = isinstance(error, KeyboardInterrupt) and any(isinstance(known, type(error)) for known in state.errors)
    if not again:
        state.errors.append(error)


def _note_readiness(state: SupervisorState) -> None:
    for child in sorted(state.ready, key=lambda child: child.order):
        starting.note_ready(state, child)
    state.ready.clear()


def _step(state: SupervisorState) -> None:
    """Handle everything that has happened, once."""
    _note_readiness(state)
    endings.settle_all(state)
    now = trio.current_time()
    while (alarmed := state.pop_alarm(now)) is not None:
        _alarm(state, alarmed, now)
    if now >= state.stop_by:
        stopping.past_deadline(state)
    stopping.tick_no_grace(state)
    requests.serve_all(state)
    stopping.advance(state)
    restarting.advance_group(state)
    starting.advance(state)
    if state.requests and not state.busy():
        state.signal.set()


def _alarm(state: SupervisorState, child: Child, now: float) -> None:
    """A child's deadline has passed; its state says which deadline it was."""
    if not child.alive:
        restarting.delay_elapsed(state, child)
    elif child.stop_reason is not None:
        stopping.outlived(state, child, "shutdown limit")
    elif child.ready_at is None:
        stopping.ask(state, child, "deadline")
    elif child.spec.heartbeat is not None:
        if child.beat_at + child.spec.heartbeat >= now:
            state.arm_deadline(child, child.beat_at + child.spec.heartbeat)
        else:
            state.report(ReportKind.HUNG, child, "hung")
            stopping.ask(state, child, "hung")


async def _wait(state: SupervisorState) -> None:
    """Wait until a child or a caller leaves a note, or until the next deadline."""
    deadline = min(state.next_alarm(), state.stop_by)
    if state.no_grace:
        await trio.lowlevel.checkpoint()
    elif deadline == math.inf:
        await state.signal.wait()
    else:
        with trio.move_on_at(deadline):
            await state.signal.wait()
    if state.signal.is_set():
        state.signal = trio.Event()
