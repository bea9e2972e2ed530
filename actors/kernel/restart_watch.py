"""What becomes of an actor that is down: will its supervisor start it again?

The kernel must know, because a call to a restarting actor waits and one to a parked actor fails at once. The
supervisor decides after the actor's task has ended, perhaps much later (a stop during a back-off). So while any
actor of a supervisor is down and due, one system task reads that supervisor's reports for all of them;
otherwise there is none. This is the one place where the kernel looks at a supervisor's own notes.
"""

from __future__ import annotations

from typing import cast

import trio

from actors.kernel.ref import ActorRef
from supervision.child import Child, current_child
from supervision.reports import Report, Reporter
from supervision.spec import Restart
from supervision.state import Run


def supervised_as() -> Child | None:
    """The child as which this task runs, None outside a supervisor."""
    return current_child.get()


def settle(ref: ActorRef, child: Child | None, reason: str, cause: BaseException | None) -> None:
    """``ref``'s incarnation has just ended: say that it is gone if nothing follows, else have somebody watch."""
    if child is None or not child.wanted or not _leads_to_a_restart(child, cause):
        ref.gone(reason, cause)
    else:
        reporter = cast("Run", child.keeper).reporter
        watch = _watches.get(reporter)
        if watch is None:
            watch = _watches[reporter] = _Watch(reporter)
            trio.lowlevel.spawn_system_task(watch.run, name=f"restarts of the actors under {reporter.path}")
        watch.down[ref.name] = (ref, child, cause)


def _leads_to_a_restart(child: Child, cause: BaseException | None) -> bool:
    if child.spec.restart is Restart.TRANSIENT:
        return cause is not None or child.asked is not None or child.doomed
    return child.spec.restart is Restart.PERMANENT


class _Watch:
    """The actors under one supervisor that are down and due."""

    def __init__(self, reporter: Reporter) -> None:
        self.down: dict[str, tuple[ActorRef, Child, BaseException | None]] = {}
        self._reporter = reporter

    async def run(self) -> None:
        """Look at whom a report concerns, until nobody is down or the supervisor's run is over."""
        try:
            async with self._reporter.subscribe() as reports:
                await trio.lowlevel.checkpoint()  # what the supervisor judged before this task began to listen
                self._look_at_all()
                while self.down and (report := await _next(reports)) is not None:
                    self._look_at(next(iter(self.down)))  # a supervisor that stops gives all of them up at once
                    self._look_at(report.child)
        finally:
            del _watches[self._reporter]
        for ref, child, cause in self.down.values():
            ref.gone(child.rest, cause)  # does nothing to one that runs

    def _look_at(self, name: str | None) -> None:
        if name is None or name not in self.down:
            return
        ref, child, cause = self.down[name]
        if child.alive:
            del self.down[name]
        elif not child.wanted:
            del self.down[name]
            ref.gone(child.rest, cause)
            self._look_at_all()

    def _look_at_all(self) -> None:
        for name in list(self.down):
            self._look_at(name)


_watches: dict[Reporter, _Watch] = {}


async def _next(reports: trio.MemoryReceiveChannel[Report]) -> Report | None:
    try:
        return await reports.receive()
    except trio.EndOfChannel:
        return None
