"""The directory that the nodes share: output followed from it, and what it means when it cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobStatus
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import KILLED, Commands, acts
from tests.providers.slurm.supervisors import ended, job, supervised, until_event
from tests.providers.supervisors import lines, status

pytestmark = pytest.mark.parts

COMPLETED = (JobStatus.COMPLETED, None)


async def test_output_is_followed_while_the_job_runs_and_to_its_end(cluster: Cluster, tmp_path: Path) -> None:
    record, go = tmp_path / "record", tmp_path / "go"
    script = f"echo größer; until [ -e {go} ]; do sleep 0.02; done; echo fertig"
    told = b""
    async with supervised(tmp_path, cluster) as runtime:
        one = (await runtime.submit(job(record, script))).job_id
        async for piece in runtime.logs(one, follow=True):
            told += piece[0]
            if told == "größer\n".encode():
                go.touch()
        assert (await runtime.jobs.get(one)).job.status is JobStatus.COMPLETED
    assert told == "größer\nfertig\n".encode()


async def test_progress_and_result_come_through_the_directory(cluster: Cluster, tmp_path: Path) -> None:
    progress = """echo '{"step": 3, "loss": 0.5}' >> "$GREENROOM_PROGRESS_FILE"; """
    script = progress + """echo '{"accuracy": 0.9}' > "$GREENROOM_RESULT_FILE" """
    async with supervised(tmp_path, cluster) as runtime:
        one = (await runtime.submit(job(tmp_path / "record", script))).job_id
        done = await runtime.wait(one)
        assert done.progress == {"step": 3, "loss": 0.5}
        assert done.result == {"accuracy": 0.9}


async def test_a_directory_that_is_away_is_no_absence_of_a_running_job(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """Neither for a job that runs, nor for one whose submission is searched for: nothing is sent again."""
    record, go = tmp_path / "record", tmp_path / "go"
    shared, away = tmp_path / "shared", tmp_path / "away"
    async with supervised(tmp_path, cluster, commands) as runtime:
        commands.strike(
            "sbatch", acts(f"until [ -e {record} ]; do sleep 0.02; done; mv {shared} {away}; mkdir {shared}; {KILLED}")
        )
        lost = (await runtime.submit(job(record, f"until [ -e {go} ]; do sleep 0.02; done"))).job_id
        await until_event(runtime, lost, "job_outcome_unknown")
        with trio.move_on_after(6):  # longer than a job must be absent
            await ended(runtime, lost)
        assert commands.calls("sbatch") == 1
        os.rmdir(shared)  # noqa: PTH106 - ASYNC240 forbids the other way
        os.rename(away, shared)  # noqa: PTH104 - as above
        await status(runtime, lost, JobStatus.RUNNING)
        go.touch()
        assert await ended(runtime, lost) == COMPLETED
        assert commands.calls("sbatch") == 1
    assert len(lines(record)) == 1


async def test_a_node_without_the_directory_says_so(cluster: Cluster, commands: Commands, tmp_path: Path) -> None:
    """Nothing has run, and the reason names what to change."""
    shared, away = tmp_path / "shared", tmp_path / "away"
    state = '$(squeue --noheader --states=all --jobs="$number" --format=%T)'
    submits = 'number=$("$real" "$@"); echo "$number"'
    waits = f'until [ "{state}" = FAILED ]; do sleep 0.02; done'
    async with supervised(tmp_path, cluster, commands) as runtime:
        commands.strike("sbatch", f"mv {shared} {away}; {submits}; {waits}; mv {away} {shared}")
        one = (await runtime.submit(job(tmp_path / "record"))).job_id
        done, why = await ended(runtime, one)
        assert done is JobStatus.FAILED
        assert why is not None
        assert "all nodes must share the provider's directory" in why
    assert lines(tmp_path / "record") == []
