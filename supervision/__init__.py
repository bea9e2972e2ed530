"""Supervision for trio: OTP's supervisors, under trio's rules.

    import trio
    from supervision import ChildSpec, open_supervisor

    async def database(*, task_status=trio.TASK_STATUS_IGNORED):
        async with connect() as connection:
            task_status.started()                     # the next child is entered now
            await connection.serve_forever()

    async def main():
        async with open_supervisor(
            [ChildSpec("db", database), ChildSpec("web", web, args=(8080,), start_deadline=10)],
            strategy="rest_for_one",                  # web is restarted with db, not db with web
        ) as supervisor:
            await supervisor.start_child(ChildSpec("import", run_import, restart="transient"))
            supervisor.children()                     # what is alive, since when, restarted how often
            await trio.sleep_forever()                # leaving the block stops: import, web, db

A child is any async function that takes `task_status` and calls `task_status.started()` when it is ready. It ends by
returning, by raising, or by being cancelled; it may clean up, within its `shutdown` limit. What it raises never leaves
its task: the supervisor judges it, reports it, and restarts the child or gives up with `RestartIntensityReached`.
Only KeyboardInterrupt and SystemExit get out, once the other children are stopped in order.

Restarting: `restart="permanent"` always, `"transient"` after a failure, `"temporary"` never; at most `max_restarts` in
`period` seconds a supervisor; at once, or after the delays of a `Backoff`. `on_give_up="park"` leaves a hopeless child
down and its siblings up. A child that may hang asks for a `heartbeat` and calls `supervision.heartbeat()`.

Trees: `ChildSpec("workers", Supervisor([...]).run)` is a supervisor as a child. When it gives up it has failed, and the
one above restarts it or gives up in its turn. `supervisor.children()` shows the whole tree; it never waits.

Seeing: everything is a `Report`, logged under "supervision" and readable from `supervisor.reports()`.

Breaking on purpose: `supervision.faults`, `supervision.testing`. An event loop that does not turn:
`supervision.watchdog`. Every guarantee, with its edge cases, is in docs/semantics.md.
"""

from supervision.backoff import Backoff
from supervision.child import heartbeat
from supervision.errors import (
    AlreadyPresent,
    AlreadyRunning,
    ChildError,
    ChildHung,
    ChildRestarting,
    ChildRunning,
    ChildStartError,
    RestartIntensityReached,
    RestartRecord,
    ShutdownOverrun,
    SpecError,
    SupervisionError,
    TooManyChildren,
    UnknownChild,
)
from supervision.faults import Fault, FaultPlan, InjectedFault
from supervision.reports import Report, ReportKind
from supervision.snapshots import ChildInfo, Count, Exit
from supervision.spec import AutoShutdown, ChildSpec, OnGiveUp, Overrun, Restart, Stop, Strategy, SupervisorOptions
from supervision.supervisor import Supervisor, open_supervisor

__all__ = [
    "AlreadyPresent",
    "AlreadyRunning",
    "AutoShutdown",
    "Backoff",
    "ChildError",
    "ChildHung",
    "ChildInfo",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ChildStartError",
    "Count",
    "Exit",
    "Fault",
    "FaultPlan",
    "InjectedFault",
    "OnGiveUp",
    "Overrun",
    "Report",
    "ReportKind",
    "Restart",
    "RestartIntensityReached",
    "RestartRecord",
    "ShutdownOverrun",
    "SpecError",
    "Stop",
    "Strategy",
    "SupervisionError",
    "Supervisor",
    "SupervisorOptions",
    "TooManyChildren",
    "UnknownChild",
    "heartbeat",
    "open_supervisor",
]
