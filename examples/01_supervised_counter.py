"""Supervision only: a worker that crashes is restarted, and every step is a report. No actors, no jobs.

Run it: `python examples/01_supervised_counter.py`.
"""

from __future__ import annotations

import logging

import trio

from supervision import Backoff, ChildSpec, Supervisor, open_supervisor

GOAL = 7


class Tally:
    """State that must survive a crash is kept outside of the child."""

    number = 0


async def count(tally: Tally, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """A child is any async function that takes `task_status`, and calls `started()` when it is ready."""
    task_status.started()
    while tally.number < GOAL:
        await trio.lowlevel.checkpoint()
        tally.number += 1
        print("count", tally.number)
        if tally.number % 3 == 0:
            raise RuntimeError(f"cannot count to {tally.number}")


async def main() -> None:
    """Print the reports until the counter has returned."""
    # `transient`: restarted after a failure, but not after it has returned. Up to three failures in 60 s are
    # restarted, with a back-off; at the fourth the supervisor would raise RestartIntensityReached.
    counter = ChildSpec("counter", count, args=(Tally(),), restart="transient")
    async with (
        open_supervisor(name="root") as root,
        root.reports() as reports,
    ):
        # A supervisor can be a child of another, so they form trees.
        workers = Supervisor([counter], name="workers", max_restarts=3, period=60, backoff=Backoff(0.01, 0.1))
        await root.start_child(ChildSpec("workers", workers.run))
        async for report in reports:
            print(f"report {report.supervisor}: {report.child or '-'} {report.kind}: {report.reason or '-'}")
            if (report.child, report.kind, report.reason) == ("counter", "exit", "returned"):
                break
    # Leaving the block has stopped the remaining children, in reverse order.


if __name__ == "__main__":
    logging.disable()  # reports are also logged; here they are printed
    trio.run(main)
