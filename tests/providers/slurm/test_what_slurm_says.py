"""What Slurm decides about a job reaches whoever asked for it: refusals, reasons for waiting, ends by other hands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.records import JobRequest, JobStatus, Resources
from actors.providers.registry import factory
from actors.providers.slurm import SlurmOptions
from actors.runtime import RunningRuntime
from tests.providers.local.stage import until
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.supervisors import ended, job, options, supervised
from tests.providers.supervisors import lines, status

pytestmark = pytest.mark.parts


async def slurm_id(cluster: Cluster, job_id: str) -> str:
    ((number, _, _),) = [one for one in await cluster.submissions() if one[2].startswith(job_id)]
    return number


async def output(runtime: RunningRuntime, job_id: str) -> str:
    return b"".join([piece[0] async for piece in runtime.logs(job_id)]).decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resources": Resources(cpus=1, gpus=9)}, "Requested node configuration is not available"),
        ({"resources": Resources(cpus=1, memory=800 << 30)}, "Memory specification can not be satisfied"),
        ({"spec": {"partition": "nowhere"}}, "invalid partition specified: nowhere"),
        ({"spec": {"reservation": "nobodys"}}, "Requested reservation is invalid"),
        ({"spec": {"constraint": "a100"}}, "Invalid feature specification"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_refusal_fails_the_job_with_slurms_words(
    cluster: Cluster, tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster) as runtime:
        refused = (await runtime.submit(job(record, **fields))).job_id
        done, why = await ended(runtime, refused)
        assert done is JobStatus.FAILED
        assert words in why
        assert (await runtime.jobs.get(refused)).entry.attempt == 0
    assert lines(record) == []


async def test_what_slurm_gives_as_the_reason_of_waiting_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    record, go = tmp_path / "record", tmp_path / "go"
    async with supervised(tmp_path, cluster) as runtime:
        whole = Resources(cpus=8)
        running = (await runtime.submit(job(record, f"until [ -e {go} ]; do sleep 0.02; done", resources=whole))).job_id
        await status(runtime, running, JobStatus.RUNNING)
        waiting = (await runtime.submit(job(record, resources=whole))).job_id
        too_large = (await runtime.submit(job(record, resources=Resources(cpus=64)))).job_id
        for job_id, reasons in ((waiting, {"Resources", "Priority"}), (too_large, {"PartitionConfig"})):
            while (await runtime.jobs.get(job_id)).job.waiting_reason not in reasons:  # noqa: ASYNC110 - rows
                await trio.sleep(0.1)
        await runtime.cancel(too_large, by="ana")
        go.touch()
        assert (await ended(runtime, waiting))[0] is JobStatus.COMPLETED
        assert (await runtime.jobs.get(waiting)).job.waiting_reason is None


async def test_an_end_by_an_operators_hand_is_told_as_that(cluster: Cluster, tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster) as runtime:
        taken = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, taken, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        await cluster.run("scancel", await slurm_id(cluster, taken))
        done, why = await ended(runtime, taken)
        assert done is JobStatus.CANCELLED
        assert why != "Cancelled by ana"


async def test_a_suspended_job_goes_on_and_nobody_can_have_it_run_twice(cluster: Cluster, tmp_path: Path) -> None:
    record, go = tmp_path / "record", tmp_path / "go"
    async with supervised(tmp_path, cluster) as runtime:
        one = (await runtime.submit(job(record, f"until [ -e {go} ]; do sleep 0.02; done"))).job_id
        await status(runtime, one, JobStatus.RUNNING)
        number = await slurm_id(cluster, one)
        await cluster.run("scontrol", "suspend", number)
        await cluster.until(lambda jobs: dict(job[:2] for job in jobs)[number] == "SUSPENDED")
        assert "disabled" in await cluster.run("scontrol", "requeue", number)  # a second run is asked of nobody
        go.touch()
        await cluster.run("scontrol", "resume", number)
        assert (await ended(runtime, one))[0] is JobStatus.COMPLETED
    assert len(lines(record)) == 1


async def test_variables_of_slurms_commands_in_the_supervisors_environment_change_nothing(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SBATCH_PARTITION": "nowhere", "SBATCH_TIMELIMIT": "never", "SBATCH_EXPORT": "NONE", "SQUEUE_FORMAT": "%u",
        "SQUEUE_STATES": "PENDING",
        "SLURM_TIME_FORMAT": "relative", "SCANCEL_STATE": "PENDING", "SLURM_CLUSTERS": "other",
        "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster) as runtime:
        one = await runtime.submit(job(record, "exec sleep 1000"))
        await status(runtime, one.job_id, JobStatus.RUNNING)
        await runtime.cancel(one.job_id, by="ana")
        done = await runtime.wait(one.job_id)
        assert done.status is JobStatus.CANCELLED
        assert one.created_at.replace(microsecond=0) <= done.started_at <= done.completed_at


async def test_a_job_has_its_own_environment_and_slurms_and_nothing_of_the_supervisors(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SUPERVISOR", "hunter2")
    async with supervised(tmp_path, cluster) as runtime:
        request = JobRequest(
            provider="slurm", command=("/usr/bin/env",), user_id="ana", resources=Resources(cpus=1, gpus=2),
            inherited_env={"LANG": "C.UTF-8"}, env={"LEARNING_RATE": "0.1 '\"$(id)\n*"},
        )  # fmt: skip
        one = (await runtime.submit(request)).job_id
        assert (await ended(runtime, one))[0] is JobStatus.COMPLETED
        told = await output(runtime, one)
    assert "LEARNING_RATE=0.1 '\"$(id)\n*\n" in told
    assert f"GREENROOM_JOB_ID={one}\n" in told
    assert "LANG=C.UTF-8\n" in told
    assert "CUDA_VISIBLE_DEVICES=0,1\n" in told
    assert "SLURM_JOB_ID=" in told
    assert "hunter2" not in told


async def test_what_slurm_holds_of_ours_is_listed_and_no_job_of_anybody_elses(cluster: Cluster, tmp_path: Path) -> None:
    """As after a restore: by the comment, in which people write what they like."""
    go = tmp_path / "go"
    script = f"until [ -e {go} ]; do sleep 0.02; done"
    for comment in ("mine", "best-model-7", ""):
        argv = ("sbatch", "--output=/dev/null", f"--comment={comment}")
        await cluster.run(*argv, script=f"#!/bin/sh\n{script}\n")
    async with supervised(tmp_path, cluster) as runtime:
        ours = (await runtime.submit(job(tmp_path / "record", script))).job_id
        await status(runtime, ours, JobStatus.RUNNING)
        chosen = SlurmOptions(**options(tmp_path, cluster))
        another = factory("slurm").create("slurm", chosen, tmp_path / "another", lambda: datetime.now(UTC))
        held = await another.list_jobs()
        assert [one.key.rpartition("-")[0] for one in held] == [ours]
        await another.aclose()
        go.touch()
        assert (await ended(runtime, ours))[0] is JobStatus.COMPLETED
