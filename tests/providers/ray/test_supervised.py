"""Real supervisors, a real head, and the moments at which one of them dies: no double, no ghost, no lost state."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobStatus, QueueStatus
from tests.providers.local.stage import is_alive, until
from tests.providers.ray.head import Head
from tests.providers.ray.proxy import Proxy
from tests.providers.ray.supervisors import PATIENCE, job, submissions, supervised, supervisors_at
from tests.providers.supervisors import lines, status, until_put_back

pytestmark = pytest.mark.parts


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


async def test_a_supervisor_killed_between_submission_and_answer_finds_its_job_again(
    shared_head: Head, tmp_path: Path
) -> None:
    """The head has accepted the job and its answer is on the way: nothing of it has reached the supervisor."""
    proxy = Proxy(shared_head.address, nth=2)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(proxy.serve)
            supervisors = supervisors_at(tmp_path, proxy.address)
            supervisors.write(jobs=3)
            process: trio.Process = await nursery.start(supervisors.supervise, "--until-idle")
            proxy.instead = process.kill
            await until(lambda: process.returncode is not None)
            assert process.returncode == -signal.SIGKILL
            proxy.instead = None
            assert await supervisors.supervise("--until-idle") == 0
            nursery.cancel_scope.cancel()
    jobs = await supervisors.jobs()
    assert [one["status"] for one in jobs] == ["completed"] * 3
    ids = sorted(one["job_id"] for one in jobs)
    assert sorted(job_id for job_id, _ in lines(tmp_path / "record")) == ids
    at_ray = await submissions(shared_head)
    assert [at_ray[job_id] for job_id in ids] == [1, 1, 1]


async def test_a_restart_of_the_head_loses_no_queued_job_and_ends_a_running_one_where_that_is_known(
    mortal_head: Head, tmp_path: Path
) -> None:
    """The head ends cleanly, and its jobs with it. What was handed over is told as lost; what comes meanwhile waits."""
    record = tmp_path / "record"
    async with supervised(tmp_path, mortal_head, head_restart_ends_jobs=True) as runtime:
        before = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, before, JobStatus.RUNNING)
        await mortal_head.end()
        assert not any(is_alive(int(pid)) for _, pid in lines(record))
        meanwhile = (await runtime.submit(job(record))).job_id
        await until_put_back(runtime, meanwhile)
        assert (await runtime.jobs.get(before)).job.status is JobStatus.RUNNING  # a head that is away says nothing
        mortal_head.start()
        await mortal_head.ready()
        await runtime.queue.resume("ray", by="bo")  # somebody who knows that it is back need not wait
        lost, done = await runtime.wait(before), await runtime.wait(meanwhile)
        assert (lost.status, lost.error_message) == (
            JobStatus.FAILED, "lost: the Ray head was restarted and has forgotten it",
        )  # fmt: skip
        assert done.status is JobStatus.COMPLETED
        assert (await runtime.jobs.get(meanwhile)).entry.attempt == 0
        assert Counter(job_id for job_id, _ in lines(record)) == {before: 1, meanwhile: 1}
        assert await submissions(mortal_head) == {meanwhile: 1}


async def test_a_job_that_may_outlive_its_killed_head_is_uncertain_and_never_run_again(
    mortal_head: Head, tmp_path: Path
) -> None:
    """SIGKILL to the head may leave the program running: whoever called that job lost could run it twice."""
    record = tmp_path / "record"
    async with supervised(tmp_path, mortal_head) as runtime:
        left = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, left, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        mortal_head.kill()
        mortal_head.start_anew()
        await mortal_head.ready()
        async with runtime.events(after=0, job_id=left) as events:
            async for event in events:
                if event.type == "job_uncertain":
                    break
        view = await runtime.jobs.get(left)
        assert (view.job.status, view.entry.status) == (JobStatus.RUNNING, QueueStatus.RUNNING)
        assert view.job.uncertain_reason is not None
        assert "may still run on a node" in view.job.uncertain_reason
        assert await submissions(mortal_head) == {}
        settled = await runtime.jobs.settle(left, "failed", by="bo")
        assert settled.status is JobStatus.FAILED
    (pid,) = [int(pid) for _, pid in lines(record)]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
