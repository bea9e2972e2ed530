"""Supervisors that a test can kill: ``python -m actors`` over a real provider, and jobs that leave a record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.jobs.records import JobStatus
from actors.runtime import RunningRuntime

LINE = 'echo "$GREENROOM_JOB_ID $$" >> "$0"; '


def lines(record: Path) -> list[list[str]]:
    """What the jobs have written: their id and their pid, one line for each time one of them ran."""
    return [line.split() for line in record.read_text().splitlines()] if record.exists() else []


async def status(runtime: RunningRuntime, job_id: str, wanted: JobStatus) -> None:
    """Wait until a job has this status."""
    while (await runtime.jobs.get(job_id)).job.status is not wanted:  # noqa: ASYNC110 - rows are the truth
        await trio.sleep(0.1)


async def until_put_back(runtime: RunningRuntime, job_id: str) -> None:
    """Wait until a hand-over was tried and surely not accepted."""
    while (await runtime.jobs.get(job_id)).entry.not_before is None:  # noqa: ASYNC110 - rows are the truth
        await trio.sleep(0.1)


@attrs.frozen
class Supervisors:
    """``python -m actors`` on one state directory and one file of jobs, as often as it takes.

    ``provider``: the kind and the name of the one provider; ``options``: what the configuration says of it;
    ``fields``: what the file says of every job.
    """

    path: Path
    provider: str
    options: Mapping[str, Any]
    fields: Mapping[str, Any] = attrs.field(factory=dict)

    def write(self, jobs: int, command: list[str] | None = None) -> None:
        """The configuration, and a file of so many jobs; ``command``: what each runs, else one that leaves a record."""
        polling = {"background": {"job_status_polling": {"interval_seconds": 1}}}
        written = {"providers": {self.provider: dict(self.options)}, **polling}
        (self.path / "greenroom.yaml").write_text(json.dumps(written))
        command = command or ["sh", "-c", LINE + "sleep 0.2", str(self.path / "record")]
        each = {"provider": self.provider, "command": command, **self.fields}
        listed = [{**each, "name": f"job-{number}", "user": f"user-{number}"} for number in range(jobs)]
        (self.path / "jobs.yaml").write_text(json.dumps({"jobs": listed}))

    async def run(self, *arguments: str, **options: Any) -> Any:
        argv = [sys.executable, "-m", "actors", *arguments]
        environ = {**os.environ, "GREENROOM_HOME": str(self.path / "state")}
        return await trio.run_process(argv, cwd=self.path, env=environ, check=False, **options)

    async def start(
        self, argv: list[str], task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One command on the same state, its output piped to whoever started it, to its end."""
        environ = {**os.environ, "GREENROOM_HOME": str(self.path / "state")}
        async with trio.open_nursery() as nursery:
            run = partial(trio.run_process, argv, cwd=self.path, env=environ, stdout=subprocess.PIPE, check=False)
            task_status.started(await nursery.start(run))

    async def supervise(self, *more: str, task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED) -> int:
        """One supervisor to its end, by itself or not; its status. ``more``: options of ``run``."""
        run = partial(self.run, "run", "--file", "jobs.yaml", *more, capture_stdout=True)
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(run)
            task_status.started(process)
        assert process.returncode is not None
        return process.returncode

    async def jobs(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads((await self.run("jobs", "--json", capture_stdout=True)).stdout)
        return listed
