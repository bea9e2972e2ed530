"""What becomes of an actor that is down: will its supervisor start it again?

The kernel must know, because a call to a restarting actor waits and one to a parked actor fails at once. The supervisor
decides after the actor's task has ended, perhaps much later (a stop during a back-off). So while any actor of a supervisor is
down and due, one system task reads that supervisor's reports for all of them; otherwise there is none. This is the one place
where the kernel looks at a supervisor's own notes.
"""

from __future__ import annotations

from typing import cast

import trio

from actors.kernel.ref import ActorRef
from supervision.child import Child, current_child
from supervision.reports import Reporter
from supervision.spec import Restart
from supervision.state import Run


def supervised_as() -> Child | None:
    """The child as which this task runs, None outside a supervisor."""
    return current_child.get()


def settle(ref: ActorRef, child: Child | None, reason: str, cause: BaseException | None) -> None:
    """``ref``'s incarnation has just ended: say that it is gone if nothing follows, else have somebody watch."""
    if child is None or not child.wanted or child.spec.restart is Restart.TEMPORARY:
        ref.gone(reason, cause)
    elif child.spec.restart is Restart.TRANSIENT and cause is None and child.asked is None and not child.doomed:
        ref.gone(reason, cause)
    else:
        reporter = cast("Run", child.keeper).reporter
        watch = _watches.get(reporter)
        if watch is None:
            watch = _watches[reporter] = _Watch(reporter)
            trio.lowlevel.spawn_system_task(watch.run, name=f"fate of the actors under {reporter.path}")
        watch.down[ref] = (child, cause)


class _Watch:
    """The actors under one supervisor that are down and due."""

    def __init__(self, reporter: Reporter) -> None:
        self.down: dict[ActorRef, tuple[Child, BaseException | None]] = {}
        self._reporter = reporter

    async def run(self) -> None:
        """Look at whom a report concerns, until nobody is down or the supervisor's run is over."""
        try:
            async with self._reporter.subscribe() as reports:
                await trio.lowlevel.checkpoint()  # the supervisor judges what ended before this task began to listen
                self._look(None)
                while self.down and (report := await _next(reports)) is not None:
                    self._look(None if report.kind in _ABOUT_ALL else report.child)
        finally:
            del _watches[self._reporter]
        for ref, (child, cause) in self.down.items():
            ref.gone(child.rest, cause)  # idempotent, and nothing to one that runs

    def _look(self, name: str | None) -> None:
        for ref, (child, cause) in list(self.down.items()):
            if name is not None and ref.name != name:
                continue
            if child.alive:
                del self.down[ref]
            elif not child.wanted:
                del self.down[ref]
                ref.gone(child.rest, cause)
