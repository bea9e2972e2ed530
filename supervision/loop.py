"""The supervisor's task: look at everything that has happened, act, wait for more; at the end, stop everything.

All bookkeeping is done here, protected from KeyboardInterrupt: that arrives where trio lets it, at a wait, and then it
is one more reason to stop in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import outcome
import trio

from supervision import endings, requests, restarting, starting, stopping
from supervision.child import Child
from supervision.state import STOPPING, UP, Run, edge


@trio.lowlevel.enable_ki_protection
async def conduct(run: Run, ready: Callable[[], None]) -> None:
    """Run a supervisor from the first start to the last stop, and raise what it comes to."""
    try:
        async with trio.open_nursery() as nursery:
            run.nursery = nursery
            served = await outcome.acapture(_serve, run, ready)
            if isinstance(served, outcome.Error):
                _note(run, served.error)  # whatever it is, the children are stopped first
            await _wind_down(run)
    except BaseExceptionGroup as group:  # an interrupt that met the nursery itself
        run.wrong += group.exceptions
    finally:
        run.over = True
        stopping.refuse_all(run)
        run.reporter.close()
    _raise(run)


async def _serve(run: Run, ready: Callable[[], None]) -> None:
    """Until stopping begins, from inside (this returns) or from outside (Cancelled, KeyboardInterrupt)."""
    starting.begin(run)
    told = False
    _step(run)
    while run.phase != STOPPING:
        if not told and run.phase == UP:
            told = True
            ready()
        await _wait(run)
        await trio.lowlevel.checkpoint_if_cancelled()  # or a restart could begin after the outer cancellation
        _step(run)


async def _wind_down(run: Run) -> None:
    """Stop the children, whatever happens to us meanwhile."""
    endings.settle_all(run)  # what had failed before we were told to stop still counts
    stopping.begin(run)
    try:
        with trio.CancelScope(shield=True):  # its deadline is `shutdown_deadline`, past which the policy decides
            while run.live or run.ended:
                _step(run)
                if run.live:
                    await _wait_out(run)
    except BaseException:
        for child in run.children.values():  # a fault of ours: never leave shielded children behind
            if child.scope is not None:
                child.scope.cancel()
        raise


async def _wait_out(run: Run) -> None:
    try:
        await _wait(run)
    except KeyboardInterrupt as exc:
        _note(run, exc)


def _note(run: Run, error: BaseException) -> None:
    if isinstance(error, trio.Cancelled):
        run.cancelled = error
    elif not any(isinstance(known, KeyboardInterrupt) for known in run.wrong) or not isinstance(
        error, KeyboardInterrupt
    ):
        run.wrong.append(error)


def _raise(run: Run) -> None:
    wrong, run.wrong = run.wrong, []
    cancelled, run.cancelled = run.cancelled, None
    try:
        if len(wrong) == 1:
            raise wrong[0]
        if wrong:
            raise BaseExceptionGroup(f"supervisor {run.reporter.path!r}", wrong)
        if cancelled is not None:
            raise cancelled
    finally:
        del wrong, cancelled  # no cycle through the traceback


def _step(run: Run) -> None:
    """One look at everything."""
    for child in sorted(run.ready, key=lambda child: child.order):
        starting.note_ready(run, child)
    run.ready.clear()
    endings.settle_all(run)
    now = trio.current_time()
    while (child_due := run.ring(now)) is not None:
        _alarm(run, child_due, now)
    if now >= run.stop_by:
        stopping.past_deadline(run)
    stopping.hurry(run)
    requests.serve_all(run)
    stopping.advance(run)
    restarting.advance(run)
    starting.advance(run)
    if run.requests and not run.busy():
        run.signal.set()


def _alarm(run: Run, child: Child, now: float) -> None:
    """A child's deadline has passed; which one, its state says."""
    if not child.alive:
        restarting.time_has_come(run, child)
    elif child.asked is not None:
        stopping.outlived(run, child, "shutdown limit")
    elif child.ready_at is None:
        stopping.ask(run, child, "deadline")
    elif child.spec.heartbeat is not None:
        due = edge(child.beat_at + child.spec.heartbeat)
        if due > now:
            run.arm(child, due)
        else:
            run.tell("hung", child, "hung")
            stopping.ask(run, child, "hung")


async def _wait(run: Run) -> None:
    """Until a child or a caller takes a note, or the next deadline."""
    deadline = min(run.next_alarm(), run.stop_by)
    if run.hurried:
        await trio.lowlevel.checkpoint()
    elif deadline == math.inf:
        await run.signal.wait()
    else:
        with trio.move_on_at(deadline):
            await run.signal.wait()
    if run.signal.is_set():
        run.signal = trio.Event()
