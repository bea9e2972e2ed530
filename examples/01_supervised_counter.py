"""Supervision alone: a worker that crashes is started again, and every step is a report. No actors, no jobs.

Run it: `python examples/01_supervised_counter.py`.
"""

from __future__ import annotations

import logging

import trio

from supervision import Backoff, ChildSpec, Supervisor, open_supervisor

GOAL = 7


class Tally:
    """Lives outside of the child: what a crash must not lose belongs to somebody else."""

    number = 0


async def count(tally: Tally, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """A child is any async function that takes `task_status`, and says `started()` once it is ready."""
    task_status.started()
    while tally.number < GOAL:
        await trio.lowlevel.checkpoint()
        tally.number += 1
        print("count", tally.number)
        if tally.number % 3 == 0:
            raise RuntimeError(f"I cannot stand the number {tally.number}")


async def main() -> None:
    """Watch the reports until the counter has ended by itself."""
    # `transient`: started again after a failure, not after it has returned. Three failures are forgiven, with a
    # back-off; more, and the supervisor would give up with RestartIntensityReached.
    counter = ChildSpec("counter", count, args=(Tally(),), restart="transient")
    async with (
        open_supervisor(name="root") as root,
        root.reports() as reports,
    ):
        # A supervisor is a child like any other, so trees are built of it.
        workers = Supervisor([counter], name="workers", max_restarts=3, period=60, backoff=Backoff(0.01, 0.1))
        await root.start_child(ChildSpec("workers", workers.run))
        async for report in reports:
            print(f"report {report.supervisor}: {report.child or '-'} {report.kind}: {report.reason or '-'}")
            if (report.child, report.kind, report.reason) == ("counter", "exit", "returned"):
                break
    # Leaving the block stopped what still ran, in reverse order.


if __name__ == "__main__":
    logging.disable()  # reports are logged, too; here they are printed
    trio.run(main)
