"""Whoever is killed, at whatever moment: the program runs at most once, and what is said of it is proven."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from actors.jobs.records import Phase
from actors.providers.base import CancelAck, Submitted
from actors.providers.local import lost_jobs
from actors.providers.local.directory import JobDirectory, write_durably
from actors.providers.local.environment import MARK
from actors.providers.local.liveness import Standing
from actors.providers.local.shim.system import boot_id, start_ticks
from tests.providers.local.stage import ENVIRONMENT, PATIENCE, Stage, exists, is_alive, needs_cgroup, opened, until

pytestmark = pytest.mark.parts


@pytest.fixture(params=["forked", "spawned"])
async def stage(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """Shims of either origin."""
    stage.options = attrs.evolve(stage.options, zygote=request.param == "forked")
    return stage


SLEEPER = "touch ready; exec sleep 1000"


def place(stage: Stage, key: str, *argv: str) -> JobDirectory:
    """A job that was written down by somebody who was killed before he started it."""
    stage.provider  # noqa: B018 - makes the folders
    directory = stage.directory(key)
    env = {**ENVIRONMENT, MARK: str(directory.output)}
    directory.place({"argv": list(argv), "cwd": str(directory.work), "env": env, "gpus": 0, "grace_seconds": 0.5})
    return directory


async def killed_shim(stage: Stage, key: str) -> None:
    pid = (await stage.started(key))["shim"]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_alive(pid))


async def test_twenty_shims_at_once_and_a_late_one_run_the_program_once(stage: Stage) -> None:
    directory = place(stage, "crowd", "sh", "-c", "echo run >> ../output/runs")
    await stage.run_shim(directory, shims=20)
    await stage.run_shim(directory)
    assert (directory.output / "runs").read_text() == "run\n"
    assert (await stage.observe("crowd")).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("by", ["submit", "find", "observe"])
async def test_a_job_that_was_written_down_and_never_started_is_started(stage: Stage, by: str) -> None:
    """Whatever the next supervisor does first."""
    place(stage, "left", "sh", "-c", "echo run >> ../output/runs")
    if by == "submit":
        assert (await stage.hand_over("left", "true")).existed
    elif by == "find":
        assert isinstance(await stage.provider.find("left", "token"), Submitted)
    assert (await stage.ended("left")).phase is Phase.SUCCEEDED
    assert (stage.directory("left").output / "runs").read_text() == "run\n"


@needs_cgroup
async def test_a_job_whose_shim_was_killed_is_lost_and_its_processes_are_cleared(stage: Stage) -> None:
    """The kernel ends the program itself; a grandchild and a daemon outlive it until the next look."""
    script = """
        setsid sleep 1000 & echo $! > pids; sh -c 'sleep 1000 & echo $! >> pids; touch ready; wait'
    """
    await stage.wrote(key := await stage.shell(script), "ready")
    pids = [int(line) for line in (stage.directory(key).work / "pids").read_text().split()]
    child = (await stage.started(key))["child"]
    await killed_shim(stage, key)
    await until(lambda: not is_alive(child))
    assert all(is_alive(pid) for pid in pids)
    seen = await stage.ended(key)
    assert (seen.phase, seen.proven_dead) == (Phase.LOST, True)
    assert seen.error == "its shim was killed while the job ran, and how the job ended is not known"
    assert seen.interrupted == "its shim was killed while the job ran"
    assert seen.started_at is not None
    assert not [pid for pid in pids if is_alive(pid)]
    assert await stage.provider.cancel(key, {}) is CancelAck.ALREADY_TERMINAL


async def test_a_process_that_may_be_of_a_lost_job_keeps_it_from_being_proven_dead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the group and the session, but without our mark: it is not killed, and nothing is claimed."""
    monkeypatch.setattr(lost_jobs, "cgroup_parent", lambda: None)
    script = "env -i sleep 1000 & echo $! > pids; touch ready; wait"
    await stage.wrote(key := await stage.shell(script), "ready")
    pid = int((stage.directory(key).work / "pids").read_text())
    await killed_shim(stage, key)
    seen = await stage.ended(key)
    assert (seen.phase, seen.proven_dead, is_alive(pid)) == (Phase.LOST, False, True)
    assert seen.error is not None
    assert seen.error.endswith(f"process {pid} may be left of it")
    os.kill(pid, signal.SIGKILL)


async def test_a_job_of_the_same_key_in_another_folder_is_a_stranger(stage: Stage, tmp_path: Path) -> None:
    """Two supervisors on one machine: clearing the one's lost job leaves the other's alone."""
    await stage.wrote(key := await stage.shell(SLEEPER), "ready")
    await killed_shim(stage, key)
    async with opened(tmp_path / "other") as other:
        await other.wrote(await other.shell(SLEEPER, key=key), "ready")
        assert (await stage.ended(key)).phase is Phase.LOST
        assert (await other.observe(key)).phase is Phase.RUNNING


async def test_a_stranger_with_the_programs_number_is_left_alone(stage: Stage) -> None:
    """Numbers are used again: the start time tells the stranger's group from the lost job's."""
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)  # noqa: ASYNC220 - trio would end it
    try:
        directory = place(stage, "lost", "true")
        run = {"shim": 1, "shim_ticks": -1, "child": stranger.pid, "started_at": 1.0}
        ticks = start_ticks(stranger.pid)
        assert ticks is not None
        write_durably(directory.run, {**run, "child_ticks": ticks - 1, "boot_id": boot_id()})
        seen = await stage.observe("lost")
        assert (seen.phase, stranger.poll()) == (Phase.LOST, None)
        assert "may be left" not in (seen.error or "")
    finally:
        stranger.kill()
        stranger.wait()


async def test_after_a_restart_of_the_machine_a_running_job_is_lost(stage: Stage) -> None:
    """Another boot id: its process numbers mean nothing any more, and nobody is killed by them.

    A process with the job's own mark that lives in this boot contradicts the record: then nothing is proven.
    """
    directory = place(stage, "before", "true")
    async with trio.open_nursery() as nursery:
        env = {**ENVIRONMENT, MARK: str(directory.output)}  # the very mark by which one would be killed
        stranger = await nursery.start(partial(trio.run_process, ["sleep", "1000"], env=env, check=False))
        pid, ticks = stranger.pid, start_ticks(stranger.pid)
        run = {"shim": pid, "shim_ticks": ticks, "child": pid, "child_ticks": ticks, "started_at": 1.0}
        write_durably(directory.run, {**run, "boot_id": "another"})
        directory.lock.touch()
        seen = await stage.observe("before")
        assert (seen.phase, seen.proven_dead, stranger.poll()) == (Phase.LOST, False, None)
        stranger.kill()
    seen = await stage.observe("before")
    assert (seen.phase, seen.proven_dead) == (Phase.LOST, True)
    assert seen.error == seen.interrupted == "the machine was restarted while the job ran"


async def test_a_killed_job_says_so(stage: Stage) -> None:
    await stage.wrote(key := await stage.shell(SLEEPER), "ready")
    os.kill((await stage.started(key))["child"], signal.SIGKILL)
    seen = await stage.ended(key)
    assert (seen.phase, seen.signal) == (Phase.FAILED, signal.SIGKILL)
    assert seen.error == "killed by signal 9 (SIGKILL), not by its supervisor; no sign that memory ran out"
    assert seen.interrupted is None


async def test_a_group_killed_while_nobody_watches_is_told_afterwards(stage: Stage) -> None:
    """The supervisor is down; the shim writes the end, and the next supervisor reads it."""
    await stage.wrote(key := await stage.shell("touch ready; sleep 1000; true"), "ready")
    run = await stage.started(key)
    await stage.provider.aclose()
    os.killpg(run["child"], signal.SIGKILL)
    await until(stage.directory(key).exit.exists)
    seen = await stage.ended(key, by=stage.another())
    assert (seen.phase, seen.signal) == (Phase.FAILED, signal.SIGKILL)


async def test_shims_that_die_before_the_program_runs_are_not_tried_for_ever(stage: Stage) -> None:
    """A job that kills its shims fails with that reason, once no shim can come any more."""
    directory = place(stage, "cursed", "true")
    directory.spec.write_text(json.dumps({"argv": ["true"], "gpus": 0}))  # the shim stumbles over what is missing
    seen = await stage.ended("cursed")
    assert seen.phase is Phase.FAILED
    assert seen.error is not None
    assert "its shim ended 3 times before the program was run" in seen.error
    assert "KeyError" in stage.log("cursed")


async def test_a_shim_killed_before_the_program_is_let_go_takes_it_along(stage: Stage) -> None:
    """No run.json, so nothing may have run: the program waits at its gate, and the next shim runs it, once."""
    directory = place(stage, "gate", "sh", "-c", "echo run >> ../output/runs")
    script = """
import json, os, signal
from actors.providers.local.shim.job import fork_program
child, gate, faults, _ = fork_program(json.load(open("spec.json")), output=1)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    argv = [sys.executable, "-c", script]
    done = await trio.run_process(argv, cwd=directory.path, check=False, capture_stdout=True)
    assert done.returncode == -signal.SIGKILL
    await until(lambda: not is_alive(int(done.stdout)))
    assert not (directory.output / "runs").exists()
    assert (await stage.ended("gate")).phase is Phase.SUCCEEDED
    assert (directory.output / "runs").read_text() == "run\n"


async def test_another_provider_on_the_same_folder_adopts_what_runs(stage: Stage) -> None:
    """It finds the job, is told its end by the kernel, and can cancel it."""
    first = await stage.hand_over("adopted", "sh", "-c", SLEEPER)
    await stage.wrote("adopted", "ready")
    await stage.provider.aclose()
    heir = stage.another()
    found = await heir.find("adopted", "token")
    assert isinstance(found, Submitted)
    assert (found.existed, found.handle) == (True, first.handle)
    assert found.observation is not None
    assert found.observation.phase is Phase.RUNNING
    assert await heir.cancel("adopted", {}) is CancelAck.ACCEPTED
    assert (await stage.ended("adopted", by=heir)).phase is Phase.CANCELED


async def test_a_job_outlives_its_supervisor_killed_hard(stage: Stage) -> None:
    """kill -9 of the process that submitted, in the middle: the job runs on and is found by the next."""
    stage.provider  # noqa: B018 - makes the folders
    script = f"""
import os, signal, trio
from pathlib import Path
from actors.jobs.records import JobRequest
from actors.providers.local import LocalOptions, LocalProvider
async def main():
    provider = LocalProvider(LocalOptions(gpus=0), Path({str(stage.root)!r}))
    command = ("sh", "-c", "echo run >> ../output/runs; until [ -e go ]; do sleep 0.01; done")
    await provider.submit("orphan", "token", provider.prepare(JobRequest(command=command)), {{}})
    os.kill(os.getpid(), signal.SIGKILL)
trio.run(main)
"""
    done = await trio.run_process([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    await until((stage.directory("orphan").output / "runs").exists)
    assert (await stage.hand_over("orphan", "true")).existed
    assert (await stage.observe("orphan")).phase is Phase.RUNNING
    (stage.directory("orphan").work / "go").touch()
    assert (await stage.ended("orphan")).phase is Phase.SUCCEEDED
    assert (stage.directory("orphan").output / "runs").read_text() == "run\n"


async def test_a_zombie_shim_is_not_alive(stage: Stage) -> None:
    """Its number still answers; the lock does not."""
    await stage.wrote(key := await stage.shell(SLEEPER), "ready")
    pid = (await stage.started(key))["shim"]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_alive(pid))
    assert exists(pid), "nobody has reaped it yet"
    assert stage.look(key).standing is Standing.DEAD


@pytest.mark.parametrize(
    ("full_from", "expected"),
    [("the job", {"code": 1}), ("before", {"failure": {"stage": "record", "errno": errno.ENOSPC}})],
)
async def test_a_full_disk_loses_no_exit_record(tmp_path: Path, full_from: str, expected: dict[str, object]) -> None:
    """The disk is full to the last byte, by the job or before it could start: its end is recorded all the same.

    The disk is a small one in memory, mounted in a name space of the shim's own.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    directory = JobDirectory(disk / "job")
    spec = {"argv": ["sh", "-c", "cat /dev/zero > fill"], "cwd": str(directory.work), "env": ENVIRONMENT}
    script = f"""
import json, subprocess, sys
from pathlib import Path
from actors.providers.local.directory import JobDirectory
from actors.providers.local.launching import SHIM
def fill():
    try:
        with open("{disk}/fill", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        return error.errno
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", "{disk}"], check=True)
directory = JobDirectory(Path("{directory.path}"))
directory.place({{**{spec!r}, "gpus": 0, "grace_seconds": 1}})
if {full_from!r} == "before":
    fill()
subprocess.run([sys.executable, "-I", "-S", SHIM, directory.path], check=True, capture_output=True)
assert fill() == {errno.ENOSPC}
print(directory.exit.read_text())
"""
    argv = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", script]
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(argv, capture_stdout=True)
    record = json.loads(done.stdout)
    assert {name: record[name] for name in expected} == expected
