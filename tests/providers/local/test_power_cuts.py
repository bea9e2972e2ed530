"""What is on the disk at which moment, and what is made of it after a power cut: no job lost, none run twice."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
import trio

from actors.jobs.records import Phase
from actors.providers.base import ABSENT, Submitted
from actors.providers.errors import OutcomeUnknown
from actors.providers.local.directory import JobDirectory
from actors.providers.local.liveness import Standing
from actors.providers.local.shims import Shims
from tests.providers.local.stage import Stage

A_SHIM_THAT_TELLS = """
import json, os, sys
from actors.providers.local.shim.job import be_shim
from actors.providers.local.shim.system import block_signals
fsync, write, seen = os.fsync, os.write, []
def name_of(fd):
    return os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
def synced(fd):
    fsync(fd)
    seen.append(name_of(fd))
def wrote(fd, data):
    if data == b"g":
        seen.append("gate")
    return write(fd, data)
os.fsync, os.write = synced, wrote
block_signals()
be_shim(["shim", sys.argv[1]], [])
print(json.dumps(seen))
"""
WHOLE_RUN = {
    "shim": 4_000_001, "shim_ticks": 5, "child": 4_000_002, "child_ticks": 6, "boot_id": "another",
    "started_at": 1.7e9, "devices": "-", "cgroup": None,
}  # fmt: skip


def placed(stage: Stage, key: str, *argv: str) -> JobDirectory:
    """A job that is written down, and for which no shim has come."""
    stage.provider  # noqa: B018 - makes the folders
    directory = stage.directory(key)
    spec: dict[str, Any] = {
        "job_id": key, "argv": argv, "cwd": str(directory.work), "env": {"PATH": os.environ["PATH"]}, "gpus": 0,
        "max_runtime": None, "grace_seconds": 0.5, "log_bytes": None,
    }  # fmt: skip
    assert directory.place(spec)
    return directory


async def test_the_program_is_let_go_when_that_is_on_the_disk(stage: Stage) -> None:
    """Else a power cut could take every trace of a program that has run, and it would be run again."""
    directory = placed(stage, "told", "true")
    argv = [sys.executable, "-c", A_SHIM_THAT_TELLS, str(directory.path)]
    seen = json.loads((await trio.run_process(argv, capture_stdout=True)).stdout)
    assert seen[: seen.index("gate")] == [directory.started.name, "jobs"]
    assert seen[seen.index("gate") :] == ["gate", "exit.new", "told"]


async def test_a_spec_is_on_the_disk_before_its_name_and_the_names_before_the_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are synced while the shim gets ready. Before the first job, that this folder begins with it."""
    seen: list[str] = []
    fsync, start = os.fsync, Shims.start

    def synced(fd: int) -> None:
        fsync(fd)
        seen.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")).partition(".")[0])  # noqa: PTH115, PTH119

    def started(*arguments: Any) -> None:
        start(*arguments)
        seen.append("shim")

    with monkeypatch.context() as watched:
        watched.setattr(os, "fsync", synced)
        watched.setattr(Shims, "start", started)
        await stage.submit("true", key="job")
        seen.append("answer")
    assert seen == ["begun", "spec", "shim", "job", "jobs", "answer"]
    await stage.ended("job")


async def test_names_that_cannot_be_synced_leave_an_outcome_that_is_not_known(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shim runs by then: the job is not to be handed over again, it is to be found."""

    def refuse(_directory: JobDirectory) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(JobDirectory, "sync_names", refuse)
        with pytest.raises(OutcomeUnknown, match="Input/output error"):
            await stage.submit("sh", "-c", "echo run >> ../output/runs", key="job")
    found = await stage.provider.find("job", "token")
    assert isinstance(found, Submitted)
    assert (await stage.ended("job")).phase is Phase.SUCCEEDED
    assert (stage.directory("job").output / "runs").read_text() == "run\n"


@pytest.mark.parametrize("run", ["", '{"shim": 40', json.dumps(WHOLE_RUN)], ids=["no", "half a", "a whole"])
@pytest.mark.parametrize("directory_left", [True, False])
async def test_a_program_that_was_let_go_is_not_run_again(stage: Stage, run: str, directory_left: bool) -> None:
    """The note alone is sure to be there: ``run.json`` and the directory's own name may be lost."""
    directory = placed(stage, "cut", "touch", "again")
    if run:
        directory.run.write_text(run)
    if not directory_left:
        directory.remove()
    directory.started.write_text(json.dumps(WHOLE_RUN) + "\n" + " " * 4096)
    seen = await stage.observe("cut")
    assert (seen.phase, seen.proven_dead, seen.error) == (
        Phase.LOST,
        True,
        "the machine was restarted while the job ran",
    )
    assert (await stage.hand_over("cut", "touch", "again")).existed
    assert stage.look("cut").standing is Standing.DEAD
    assert not (directory.work / "again").exists()


async def test_a_directory_that_lost_its_spec_was_never_submitted(stage: Stage) -> None:
    """The supervisor had no answer then, so it asks, is told so, and submits again."""
    placed(stage, "cut", "true").spec.unlink()
    assert await stage.provider.find("cut", "token") is ABSENT
    assert not (await stage.hand_over("cut", "sh", "-c", "echo run >> ../output/runs")).existed
    assert (await stage.ended("cut")).phase is Phase.SUCCEEDED
    assert (stage.directory("cut").output / "runs").read_text() == "run\n"
