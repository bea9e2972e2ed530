"""Real supervisors, a real head, and the moments at which one of them dies: no double, no ghost, no lost state."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobRequest, JobStatus, QueueStatus
from actors.providers.breaker import BreakerOptions
from actors.providers.ray import RayOptions
from actors.runtime import RunningRuntime, open_runtime
from actors.settings import Settings
from actors.settings.model import ProviderSettings
from tests.providers.local.stage import is_alive, until
from tests.providers.ray.head import Head
from tests.providers.ray.proxy import Proxy

pytestmark = pytest.mark.parts

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
    return Counter(one["metadata"]["greenroom_job_id"] for one in found if one["submission_id"])


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
        poller=PollerOptions(interval_seconds=0.2),
    )
    with trio.fail_after(PATIENCE):
        async with open_runtime(settings) as runtime:
            yield runtime


async def status(runtime: RunningRuntime, job_id: str, wanted: JobStatus) -> None:
    """Wait until a job has this status."""
    while (await runtime.job(job_id)).job.status is not wanted:  # noqa: ASYNC110 - rows are the truth
        await trio.sleep(0.1)


async def test_a_running_and_a_waiting_job_are_cancelled_for_good(shared_head: Head, tmp_path: Path) -> None:
    """Ray would start the waiting one all the same when there is room; asked again, it ends, and never as completed."""
    record = tmp_path / "record"
    async with supervised(tmp_path, shared_head) as runtime:
        running = [(await runtime.submit(job(record, "exec sleep 1000"))).job_id for _ in range(2)]
        for job_id in running:
            await status(runtime, job_id, JobStatus.RUNNING)
        waiting = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, waiting, JobStatus.QUEUED)
        await runtime.cancel(waiting, by="ana")
        for job_id in running:
            await runtime.cancel(job_id, by="ana")
        ends = [await runtime.wait(job_id) for job_id in (*running, waiting)]
        assert [end.status for end in ends] == [JobStatus.CANCELLED] * 3
        assert [end.error_message for end in ends] == ["Cancelled by ana"] * 3
        await until(lambda: not any(is_alive(int(pid)) for _, pid in lines(record)))


@attrs.frozen
class Supervisors:
    """``python -m actors`` on one state directory and one file of jobs, as often as it takes."""

    path: Path
    address: str

    def write(self, jobs: int) -> None:
        providers = {"ray": {"address": self.address, "cwd": "none"}}
        polling = {"background": {"job_status_polling": {"interval_seconds": 1}}}
        (self.path / "greenroom.yaml").write_text(json.dumps({"providers": providers, **polling}))
        command = ["sh", "-c", LINE + "sleep 0.2", str(self.path / "record")]
        each = {"provider": "ray", "command": command, "resources": {"cpus": 0}}
        listed = [{**each, "name": f"job-{number}", "user": f"user-{number}"} for number in range(jobs)]
        (self.path / "jobs.yaml").write_text(json.dumps({"jobs": listed}))

    async def run(self, *arguments: str, **options: Any) -> Any:
        argv = [sys.executable, "-m", "actors", *arguments]
        environ = {**os.environ, "GREENROOM_HOME": str(self.path / "state")}
        return await trio.run_process(argv, cwd=self.path, env=environ, check=False, **options)

    async def supervise(self, task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED) -> int:
        """One supervisor to its end, by itself or not; its status."""
        run = partial(self.run, "run", "--file", "jobs.yaml", "--until-idle", capture_stdout=True)
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(run)
            task_status.started(process)
        assert process.returncode is not None
        return process.returncode

    async def jobs(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads((await self.run("jobs", "--json", capture_stdout=True)).stdout)
        return listed


async def test_a_supervisor_killed_between_submission_and_answer_finds_its_job_again(
    shared_head: Head, tmp_path: Path
) -> None:
    """The head has accepted the job and its answer is on the way: nothing of it has reached the supervisor."""
    proxy = Proxy(shared_head.address, nth=2)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(proxy.serve)
            supervisors = Supervisors(tmp_path, proxy.address)
            supervisors.write(jobs=3)
            process: trio.Process = await nursery.start(supervisors.supervise)
            proxy.instead = process.kill
            await until(lambda: process.returncode is not None)
            assert process.returncode == -signal.SIGKILL
            proxy.instead = None
            assert await supervisors.supervise() == 0
            nursery.cancel_scope.cancel()
    jobs = await supervisors.jobs()
    assert [one["status"] for one in jobs] == ["completed"] * 3
    ids = sorted(one["job_id"] for one in jobs)
    assert sorted(job_id for job_id, _ in lines(tmp_path / "record")) == ids
    at_ray = await submissions(shared_head)
    assert [at_ray[job_id] for job_id in ids] == [1, 1, 1]


async def test_a_restart_of_the_head_loses_no_queued_job_and_ends_a_running_one_where_that_is_known(
    own_head: Head, tmp_path: Path
) -> None:
    """The head ends cleanly, and its jobs with it. What was handed over is told as lost; what comes meanwhile waits."""
    record = tmp_path / "record"
    own_head.start()
    await own_head.ready()
    async with supervised(tmp_path, own_head, head_restart_ends_jobs=True) as runtime:
        before = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, before, JobStatus.RUNNING)
        await own_head.end()
        assert not any(is_alive(int(pid)) for _, pid in lines(record))
        meanwhile = (await runtime.submit(job(record))).job_id
        await until_put_back(runtime, meanwhile)
        assert (await runtime.job(before)).job.status is JobStatus.RUNNING  # a head that is away says nothing
        own_head.start()
        await own_head.ready()
        lost, done = await runtime.wait(before), await runtime.wait(meanwhile)
        assert (lost.status, lost.error_message) == (
            JobStatus.FAILED, "lost: the Ray head was restarted and has forgotten it",
        )  # fmt: skip
        assert done.status is JobStatus.COMPLETED
        assert (await runtime.job(meanwhile)).entry.attempt == 0
        assert Counter(job_id for job_id, _ in lines(record)) == {before: 1, meanwhile: 1}
        assert await submissions(own_head) == {meanwhile: 1}


async def test_a_job_that_may_outlive_its_killed_head_is_uncertain_and_never_run_again(
    own_head: Head, tmp_path: Path
) -> None:
    """SIGKILL to the head may leave the program running: whoever called that job lost could run it twice."""
    record = tmp_path / "record"
    own_head.start()
    await own_head.ready()
    async with supervised(tmp_path, own_head) as runtime:
        left = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, left, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        own_head.kill()
        own_head.start_anew()
        await own_head.ready()
        async with runtime.events(after=0, job_id=left) as events:
            async for event in events:
                if event.type == "job_uncertain":
                    break
        view = await runtime.job(left)
        assert (view.job.status, view.entry.status) == (JobStatus.RUNNING, QueueStatus.RUNNING)
        assert view.job.uncertain_reason is not None
        assert "may still run on a node" in view.job.uncertain_reason
        assert await submissions(own_head) == {}
        settled = await runtime.settle(left, "failed", by="bo")
        assert settled.status is JobStatus.FAILED
    (pid,) = [int(pid) for _, pid in lines(record)]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def until_put_back(runtime: RunningRuntime, job_id: str) -> None:
    """Wait until a hand-over was tried and surely not accepted."""
    while (await runtime.job(job_id)).entry.not_before is None:  # noqa: ASYNC110 - rows are the truth
        await trio.sleep(0.1)
