"""Runs of jobs that do nothing, each in a process of its own: ``job_runs.py KIND OPTIONS``, with options in JSON.

``jobs`` prints the seconds and CPU seconds of a job, ``memory`` the resident memory at tenths of the jobs.
"""

from __future__ import annotations

import functools
import gc
import json
import logging
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs
import trio

BATCH = 1_000
WARM_UP = 50
"""Jobs before those that are measured."""


async def run_jobs(
    where: Path, jobs: int, waiting: int, users: int, total: int, watched: bool = False
) -> dict[str, float]:
    """Let ``jobs`` of ``waiting`` jobs end; seconds and CPU seconds for each."""
    from actors.api.socket_file import announced
    from actors.api.unix import serve_socket
    from actors.jobs.options import Limits
    from logconf import configure_structured_logging

    if watched:
        configure_structured_logging(log_file=where / "log", stream=None)
    ends = Ends(jobs)
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(opened(where, Limits(total=total)))
        await until_ended(runtime, WARM_UP, users)
        await runtime.queue.pause(None, "bench")
        for first in range(0, waiting, BATCH):
            some = range(first, min(first + BATCH, waiting))
            await runtime.jobs.submit_many([request(number, users) for number in some])
        if watched:
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(serve_socket, runtime, where)
            print(announced(where), flush=True)
            await trio.to_thread.run_sync(sys.stdin.readline)
        ends.count(runtime)
        gc.collect()
        start, cpu = time.perf_counter(), time.process_time()
        await runtime.queue.resume(None)
        await ends.reached.wait()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        await runtime.queue.pause(None, "bench")
        if watched:
            nursery.cancel_scope.cancel()
    return {"seconds": seconds / jobs, "cpu": cpu / jobs}


async def run_memory(where: Path, jobs: int) -> dict[str, list[float]]:
    """Resident MB after each tenth of ``jobs``."""
    found = []
    async with opened(where) as runtime:
        await trio.sleep(0.5)  # until the work after the start is done
        found.append(resident())
        for _ in range(10):
            for first in range(0, jobs // 10, 100):
                await until_ended(runtime, min(100, jobs // 10 - first), 50)
            found.append(resident())
    return {"MB": found}


async def until_ended(runtime: Any, jobs: int, users: int) -> None:
    """Submit jobs and wait for their ends."""
    ends = Ends(jobs)
    subscription = ends.count(runtime)
    await runtime.jobs.submit_many([request(number, users) for number in range(jobs)])
    await ends.reached.wait()
    subscription.close()


class Ends:
    """Counts ends, without a mailbox."""

    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.reached = trio.Event()

    def count(self, runtime: Any) -> Any:
        """Begin to count; close what is returned to end it."""
        from actors.jobs.records import Event

        return runtime.bus.subscribe(Event, where=self._note)

    def _note(self, event: Any) -> bool:
        if event.type == "job_status_changed" and event.data["status"] == "completed":
            self.missing -= 1
            if self.missing == 0:
                self.reached.set()
        return False


def opened(where: Path, limits: Any = None) -> Any:
    """An embedded runtime whose jobs end at once."""
    from actors.jobs import maxima
    from actors.jobs.options import Limits, QueueOptions
    from actors.providers.scripted import ScriptedOptions, ScriptedProvider
    from actors.runtime import Parts, open_runtime
    from actors.settings import Settings

    settings = Settings.default(state_dir=where, environ={})
    most = QueueOptions(max_waiting_per_user=10 * maxima.WAITING)
    settings = attrs.evolve(settings, limits=limits or Limits(), providers={}, queue=most)
    return open_runtime(settings, Parts(providers=[ScriptedProvider(ScriptedOptions(duration=0))]))


def request(number: int, users: int) -> Any:
    """A job that does nothing."""
    from actors.jobs.records import JobRequest

    return JobRequest(provider="scripted", command=("true",), user_id=f"user-{number % users}")


def resident() -> float:
    """Resident memory of this process in MB (of 10^6 bytes)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Run what the arguments say and print what was found."""
    logging.getLogger().addHandler(logging.NullHandler())  # that the queue is paused is a WARNING
    kind, given = sys.argv[1], json.loads(sys.argv[2])
    given["where"] = Path(given["where"])
    run: Callable[..., Any] = {"jobs": run_jobs, "memory": run_memory}[kind]
    print(json.dumps(trio.run(functools.partial(run, **given))), flush=True)


if __name__ == "__main__":
    main()
