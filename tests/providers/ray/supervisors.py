"""Supervisors over a head: one of this process, or ``python -m actors``; and jobs that leave a record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobRequest, JobStatus
from actors.providers.breaker import BreakerOptions
from actors.providers.ray import RayOptions
from actors.runtime import RunningRuntime, open_runtime
from actors.settings import Background, ProviderSettings, Settings
from tests.providers.ray.head import Head

PATIENCE = 150.0  # seconds; a head takes ten to start, a job one
LINE = 'echo "$GREENROOM_JOB_ID $$" >> "$0"; '


def lines(record: Path) -> list[list[str]]:
    """What the jobs have written: their id and their pid, one line for each time one of them ran."""
    return [line.split() for line in record.read_text().splitlines()] if record.exists() else []


def job(record: Path, then: str = "true", **fields: Any) -> JobRequest:
    """A job that writes its line, and then does something."""
    command = ("sh", "-c", LINE + then, str(record))
    return JobRequest(provider="ray", command=command, user_id="ana", inherited_env={}, **fields)


async def submissions(head: Head) -> Counter[str]:
    """What the head has, by our job's id: every submission that it ever accepted in this life."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        found = (await client.get(f"{head.address}/api/jobs/")).json()
    ours = [one["metadata"] for one in found if one["metadata"]]  # others may use the head, too
    return Counter(metadata["greenroom_job_id"] for metadata in ours if "greenroom_job_id" in metadata)


@asynccontextmanager
async def supervised(path: Path, head: Head, **options: Any) -> AsyncIterator[RunningRuntime]:
    """A runtime of this process that looks at the head five times a second."""
    ray = ProviderSettings(
        "ray",
        "ray",
        RayOptions(head.address, stop_wait_seconds=1, **options),
        circuit_breaker=BreakerOptions(open_seconds=1),
    )
    settings = attrs.evolve(
        Settings.default(path / "state", environ={}),
        providers={"ray": ray},
        limits=Limits(total=10, per_user=10),
        background=Background(PollerOptions(interval_seconds=0.2)),
    )
    with trio.fail_after(PATIENCE):
        async with open_runtime(settings) as runtime:
            yield runtime


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
    """``python -m actors`` on one state directory and one file of jobs, as often as it takes."""

    path: Path
    address: str

    def write(self, jobs: int, command: list[str] | None = None) -> None:
        """The configuration, and a file of so many jobs; ``command``: what each runs, else one that leaves a record."""
        providers = {"ray": {"address": self.address, "cwd": "none"}}
        polling = {"background": {"job_status_polling": {"interval_seconds": 1}}}
        (self.path / "greenroom.yaml").write_text(json.dumps({"providers": providers, **polling}))
        command = command or ["sh", "-c", LINE + "sleep 0.2", str(self.path / "record")]
        each = {"provider": "ray", "command": command, "resources": {"cpus": 0}}
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
