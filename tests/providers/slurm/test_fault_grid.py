"""Each fault that can strike a command of Slurm, at each command, against a whole runtime and a real cluster.

What must hold in every cell: each job ends as it ended at Slurm, it ran once, and Slurm had it once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.jobs.records import JobStatus
from actors.providers.slurm import commands as running
from actors.providers.slurm import submitting
from tests.providers.local.stage import is_alive, until
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import HANGS, KILLED, Commands, acts, error
from tests.providers.slurm.supervisors import ended, job, submissions, supervised
from tests.providers.supervisors import lines, status

pytestmark = pytest.mark.parts

COMPLETED = (JobStatus.COMPLETED, None)
TIMED_OUT = "Socket timed out on send/recv operation"
AWAY = "Unable to contact slurm controller (connect failure)"
GARBAGE = "head -c 3000 /dev/urandom"
HUGE = "exec yes 4000000\\|RUNNING"

FAULTS = {
    "killed without the work": KILLED,
    "killed after the work": acts(KILLED),
    "timed out without the work": error(f"sbatch: error: Batch job submission failed: {TIMED_OUT}"),
    "timed out after the work": acts(error(f"sbatch: error: Batch job submission failed: {TIMED_OUT}")),
    "controller away": error(f"sbatch: error: Batch job submission failed: {AWAY}"),
    "words that nobody knows": acts(error("sbatch: error: the moon is full", status=77)),
    "silence": acts("exit 0"),
    "garbage after the work": acts(GARBAGE),
    "garbage without the work": GARBAGE,
    "garbage and a failure": f"{GARBAGE}; exit 1",
    "a cut answer": '"$real" "$@" | head -c 1',
    "another answer's number": acts("echo 4000000"),
    "endless output after the work": acts(HUGE),
    "hanging without the work": HANGS,
    "hanging after the work": acts(HANGS),
    "no room for a process": "exit 127",
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param.startswith("hanging"):  # else a command may take its time
        monkeypatch.setattr(submitting, "SBATCH_SECONDS", 5.0)
        monkeypatch.setattr(running, "SECONDS", 5.0)
    return FAULTS[request.param]


async def test_a_fault_at_submit(cluster: Cluster, commands: Commands, tmp_path: Path, fault: str) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster, commands) as runtime:
        commands.strike("sbatch", fault)
        first = (await runtime.submit(job(record))).job_id
        await commands.struck()
        second = (await runtime.submit(job(record))).job_id
        assert [await ended(runtime, job_id) for job_id in (first, second)] == [COMPLETED] * 2
    assert sorted(job_id for job_id, _ in lines(record)) == sorted((first, second))
    at_slurm = await submissions(cluster)
    assert (at_slurm[first], at_slurm[second]) == (1, 1)
    assert commands.calls("sbatch") <= 3  # the struck one, one after it where there is nothing, the second job's


async def test_a_fault_at_a_look(cluster: Cluster, commands: Commands, tmp_path: Path, fault: str) -> None:
    """The job runs on while the looks fail, and its own submission is searched for, too."""
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster, commands) as runtime:
        commands.strike("sbatch", acts(KILLED))
        commands.strike("squeue", fault, times=3)
        first = (await runtime.submit(job(record, "sleep 0.5"))).job_id
        second = (await runtime.submit(job(record))).job_id
        assert [await ended(runtime, job_id) for job_id in (first, second)] == [COMPLETED] * 2
        await commands.struck(4)
    assert sorted(job_id for job_id, _ in lines(record)) == sorted((first, second))
    at_slurm = await submissions(cluster)
    assert (at_slurm[first], at_slurm[second]) == (1, 1)
    assert commands.calls("sbatch") == 2


async def test_a_fault_at_cancel(cluster: Cluster, commands: Commands, tmp_path: Path, fault: str) -> None:
    record = tmp_path / "record"
    async with supervised(tmp_path, cluster, commands) as runtime:
        commands.strike("scancel", fault, times=2)
        first = (await runtime.submit(job(record, "exec sleep 1000"))).job_id
        await status(runtime, first, JobStatus.RUNNING)
        await until(lambda: len(lines(record)) == 1)
        await runtime.cancel(first, by="ana")
        assert await ended(runtime, first) == (JobStatus.CANCELLED, "Cancelled by ana")
        await commands.struck()
    ((_, pid),) = lines(record)
    await until(lambda: not is_alive(int(pid)))
