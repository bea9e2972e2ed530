"""Supervisors as real processes on one state directory, and the certainty that nothing is left of their jobs."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.cli.offline import open_reading
from actors.jobs.records import Event
from actors.jobs.views import JobView
from actors.providers.local.directory import JobDirectory, job_directories
from actors.providers.local.liveness import Standing, look, open_shim
from actors.store.state_directory import LOG
from tests.kills.supervisor import settings_of
from tests.providers.local.stage import end_processes, until

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds for one supervisor; only a test that fails waits so long


@attrs.define
class Stage:
    """One state directory, the jobs that every supervisor on it is given, and the file that the jobs write to."""

    path: Path

    @property
    def state_dir(self) -> Path:
        return self.path / "state"

    @property
    def record(self) -> Path:
        return self.path / "record"

    def write_jobs(self, jobs: Sequence[dict[str, Any]]) -> None:
        """What every supervisor submits; the place in the list is the idempotency key."""
        keyed = [{"idempotency_key": f"job-{number}", **job} for number, job in enumerate(jobs)]
        (self.path / "jobs.json").write_text(json.dumps(keyed))

    def lines(self) -> list[list[str]]:
        """What the jobs have written: time, start or end, user, job id."""
        text = self.record.read_text() if self.record.exists() else ""
        return [line.split() for line in text.splitlines()]

    async def supervise(self, *kill: str, task_status: Any = trio.TASK_STATUS_IGNORED) -> int:
        """Run a supervisor to its end, by itself or by ``kill`` (an event and its number); the status of that end."""
        argv = [
            sys.executable,
            "-m",
            "tests.kills.supervisor",
            str(self.state_dir),
            str(self.path / "jobs.json"),
            *kill,
        ]
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                run = partial(trio.run_process, argv, cwd=ROOT, check=False)
                process: trio.Process = await nursery.start(run)
                task_status.started(process)
        assert process.returncode is not None
        return process.returncode

    async def supervise_until_lines(self, number: int) -> int:
        """Run a supervisor and kill it when the jobs have written so many lines; the status of its end."""
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(self.supervise)
            await until(lambda: len(self.lines()) >= number or process.returncode is not None)
            process.kill()
        assert process.returncode is not None
        return process.returncode

    async def rows(self) -> tuple[list[JobView], list[Event]]:
        """All jobs and all events, read as one does while no supervisor runs."""
        async with open_reading(settings_of(self.state_dir)) as reading:
            return await reading.jobs.page(limit=1000), await reading.event_reader.past_events(limit=100_000)

    def directories(self) -> list[JobDirectory]:
        """The directories of all submissions."""
        return list(job_directories(self.state_dir / "providers" / "local" / "jobs"))

    def directory(self, job_id: str) -> JobDirectory:
        """The directory of a job that was submitted once."""
        (found,) = [one for one in self.directories() if one.key.startswith(job_id)]
        return found

    def log_lines(self, job_id: str) -> list[dict[str, Any]]:
        """What the supervisors logged about a job, as far as it was written before they were killed."""
        lines = [json.loads(line) for line in (self.state_dir / LOG).read_text().splitlines()]
        return [line for line in lines if line["extra"].get("job_id") == job_id]

    async def clean_up(self) -> None:
        """Kill what is left of all jobs."""
        for directory in self.directories():
            directory.cancel.touch()
            await until(lambda one=directory: look(one).standing is not Standing.STARTING)  # type: ignore[misc]
            seen = look(directory)
            if (shim := open_shim(directory, seen)) is not None:
                signal.pidfd_send_signal(shim, signal.SIGKILL)
                os.close(shim)
            end_processes(directory, seen)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Stage]:
    """A stage that is clean when it is left, however that is."""
    stage = Stage(path)
    try:
        yield stage
    finally:
        with trio.CancelScope(shield=True):
            await stage.clean_up()
