"""On a real Ray head: the supervisor killed between a submission and its answer, jobs cancelled, the head restarted."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from actors.jobs.records import Job, JobRequest, JobStatus, Resources
from actors.runtime import RunningRuntime, open_runtime
from tests.providers.local.stage import until
from tests.providers.ray.head import Head
from tests.providers.ray.supervisor import settings_of

pytestmark = pytest.mark.parts

PATIENCE = 120.0  # seconds; only a test that fails waits so long


async def supervised(state: Path, head: Head, kill: bool, *command: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", "tests.providers.ray.supervisor", str(state), head.address, str(int(kill)), *command]
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(argv, capture_stdout=True, check=False, cwd=Path(__file__).parents[3])
    return done.returncode, done.stdout.decode().strip()


async def known_to(head: Head) -> list[str]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        return [one["submission_id"] for one in (await client.get(f"{head.address}/api/jobs/")).json()]


@asynccontextmanager
async def opened(state: Path, head: Head) -> AsyncIterator[RunningRuntime]:
    async with open_runtime(settings_of(state, head.address)) as runtime:
        yield runtime


def asked(*command: str, cpus: int = 1) -> JobRequest:
    resources = Resources(cpus=cpus)
    return JobRequest(provider="cluster", command=command, user_id="ana", resources=resources, inherited_env={})


async def reaches(runtime: RunningRuntime, job: Job, *statuses: JobStatus) -> Job:
    with trio.fail_after(PATIENCE):
        while (seen := (await runtime.job(job.job_id)).job).status not in statuses:  # noqa: ASYNC110 - a cluster's word
            await trio.sleep(0.2)
    return seen


async def test_a_supervisor_killed_before_the_answer_was_stored_finds_its_job_again(
    shared_head: Head, tmp_path: Path
) -> None:
    """One job at Ray, one run, one end: nothing submitted twice, nothing left behind."""
    ran = tmp_path / "ran"
    before = set(await known_to(shared_head))
    command = ("sh", "-c", f"echo once >> {ran}; sleep 3")
    status, _ = await supervised(tmp_path / "state", shared_head, True, *command)
    assert status == -9
    (submitted,) = set(await known_to(shared_head)) - before
    assert await supervised(tmp_path / "state", shared_head, False, *command) == (0, "completed")
    assert set(await known_to(shared_head)) - before <= {submitted}
    assert ran.read_text() == "once\n"


async def test_logs_come_and_a_running_job_is_cancelled(shared_head: Head, tmp_path: Path) -> None:
    async with opened(tmp_path / "state", shared_head) as runtime:
        job = await runtime.submit(asked("sh", "-c", "echo it is alive; sleep 1000"))
        await reaches(runtime, job, JobStatus.RUNNING)
        data = b""
        with trio.fail_after(PATIENCE):
            async with aclosing(runtime.logs(job.job_id, follow=True)) as pieces:  # type: ignore[type-var]
                async for piece, _ in pieces:
                    data += piece
                    if b"it is alive" in data:
                        break
        await runtime.cancel(job.job_id)
        assert (await reaches(runtime, job, JobStatus.CANCELLED, JobStatus.FAILED)).status is JobStatus.CANCELLED


async def test_a_job_cancelled_while_ray_lets_it_wait_never_counts_as_failed(shared_head: Head, tmp_path: Path) -> None:
    """Ray forgets such a cancel and starts the job when there is room: the intent is kept here and repeated."""
    async with opened(tmp_path / "holder", shared_head) as holder, opened(tmp_path / "state", shared_head) as runtime:
        # Another supervisor's job has the whole cluster, of which ours knows nothing.
        big = await holder.submit(asked("sleep", "1000", cpus=2))
        await reaches(holder, big, JobStatus.RUNNING)
        job = await runtime.submit(asked("sleep", "1000"))
        await reaches(runtime, job, JobStatus.QUEUED)
        await runtime.cancel(job.job_id)
        await holder.cancel(big.job_id)
        ended = await reaches(runtime, job, JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.COMPLETED)
        assert ended.status is JobStatus.CANCELLED
        await reaches(holder, big, JobStatus.CANCELLED)


async def test_a_restarted_head_loses_no_job_of_ours_and_none_runs_twice(own_head: Head, tmp_path: Path) -> None:
    """Ray forgets all jobs: what ran becomes uncertain, never failed or run again; what waited runs afterwards."""
    ran = tmp_path / "ran"
    own_head.start()
    await own_head.ready()
    async with opened(tmp_path / "state", own_head) as runtime:
        job = await runtime.submit(asked("sh", "-c", f"echo once >> {ran}; sleep 1000", cpus=2))
        await reaches(runtime, job, JobStatus.RUNNING)
        await until(ran.exists)
        later = await runtime.submit(asked("sh", "-c", f"echo later >> {ran}", cpus=2))
        await own_head.end()
        own_head.start()
        await own_head.ready()
        with trio.fail_after(PATIENCE):
            while (seen := (await runtime.job(job.job_id)).job).uncertain_since is None:  # noqa: ASYNC110 - as above
                await trio.sleep(0.2)
        assert seen.status is JobStatus.RUNNING
        assert (await runtime.health()).status == "degraded"
        await runtime.settle(job.job_id, "failed", by="ana")
        assert (await reaches(runtime, later, JobStatus.COMPLETED, JobStatus.FAILED)).status is JobStatus.COMPLETED
    await own_head.end()
    assert ran.read_text() == "once\nlater\n"
