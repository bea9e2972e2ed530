"""Supervision for trio: OTP's supervisors, under trio's rules.

    import trio
    from supervision import ChildSpec, open_supervisor

    async def database(*, task_status=trio.TASK_STATUS_IGNORED):
        async with connect() as connection:
            task_status.started()                     # now the next child is started
            await connection.serve_forever()

    async def main():
        async with open_supervisor(
            [ChildSpec("db", database), ChildSpec("web", web, args=(8080,), start_deadline=10)],
            strategy="rest_for_one",                  # if db fails, web is restarted with it; not the other way round
        ) as supervisor:
            await supervisor.start_child(ChildSpec("import", run_import, restart="transient"))
            supervisor.children()                     # the state of each child, and how often it was restarted
            await trio.sleep_forever()                # leaving the block stops import, web and db, in this order

A child is any async function that takes `task_status` and calls `task_status.started()` when it is ready. It ends by
returning, by raising, or by being cancelled; it may clean up, within its `shutdown` limit. What it raises never leaves
its task: the supervisor classifies it, reports it, and restarts the child or gives up with `RestartIntensityReached`.
Only KeyboardInterrupt and SystemExit are raised out of the supervisor, after the other children were stopped in order.

**Restarts.** A `restart="permanent"` child is restarted always, a `"transient"` one after a failure, a `"temporary"`
one never. A supervisor makes at most `max_restarts` restarts in any `period` seconds, at once or after the delays of a
`Backoff`. `on_give_up="park"` leaves a child that fails beyond its limits down, while its siblings continue. A child
that may hang sets a `heartbeat` and calls `supervision.heartbeat()`.

**Trees.** `ChildSpec("workers", Supervisor([...]).run)` makes a supervisor a child. If it gives up, that is a failure
like any other: the supervisor above restarts it, or gives up too. `supervisor.children()` shows the whole tree, without
waiting.

**Reports.** Everything that happens is a `Report`, which is logged under "supervision" and can be read from
`supervisor.reports()`.

**Tests.** `supervision.faults` injects faults, `supervision.testing` has scripted children, and `supervision.watchdog`
detects a blocked event loop. Every guarantee, with its edge cases, is in docs/semantics.md.
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
