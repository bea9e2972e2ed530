"""A job whose shim was killed is over only where that is proven; until then it is uncertain and keeps its devices."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.records import Phase, Resources
from actors.providers.base import LostJobProof
from actors.providers.errors import Conflict, Unavailable
from actors.providers.local import LocalOptions, lost_jobs
from actors.providers.local.cgroups import cgroup_of, cgroup_parent, end_cgroup
from actors.providers.local.directory import JobDirectory, write_durably
from actors.providers.local.shim import cgroup
from tests.providers.local.stage import PATIENCE, Stage, is_alive, needs_cgroup, until

pytestmark = pytest.mark.parts

ONE = Resources(gpus=1)
SHEDDING = "setsid env -i sleep 1000 & echo $! > pid; mv pid shed; wait"
"""What runs on has none of the marks by which a process is known: no environment, no group, no session of the job's."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """A machine with one device."""
    stage.options = LocalOptions(cpus=8, gpus=("GPU-a",), grace_seconds=0.5)
    stage.another()  # so that the folder is cleaned up even where others do all the work
    return stage


@pytest.fixture
def no_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where this process may make no control groups."""
    monkeypatch.setattr(lost_jobs, "cgroup_parent", lambda: None)


async def shed(stage: Stage, **more: Any) -> tuple[str, int]:
    """A job that holds the device, whose shim was killed; its key, and the process that runs on."""
    key = await stage.shell(SHEDDING, resources=ONE, **more)
    survivor = int((await stage.wrote(key, "shed")).read_text())
    shim = (await stage.started(key))["shim"]
    os.kill(shim, signal.SIGKILL)
    await until(lambda: not is_alive(shim))
    return key, survivor


def is_there(group: Path) -> bool:
    return group.exists()


@contextmanager
def ended_at_last(pid: int) -> Iterator[None]:
    """The process ends with the block, if not before."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@needs_cgroup
async def test_what_a_job_shed_ends_with_its_control_group_before_its_device_is_free(stage: Stage) -> None:
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        group = Path((await stage.started(key))["cgroup"]["path"])
        assert str(survivor) in (group / "cgroup.procs").read_text().split()
        await stage.ended(other := await stage.shell("echo $CUDA_VISIBLE_DEVICES", resources=ONE))
        assert (stage.log(other), is_alive(survivor)) == ("GPU-a\n", False)
        seen = await stage.observe(key)
        assert (seen.phase, seen.proven_dead) == (Phase.LOST, True)
        assert not is_there(group)


@needs_cgroup
async def test_a_group_that_is_gone_with_its_last_process_is_a_proof_too(stage: Stage) -> None:
    """As when systemd has tidied up behind a unit that was stopped."""
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        group = Path((await stage.started(key))["cgroup"]["path"])
        os.kill(survivor, signal.SIGKILL)
        await until(lambda: (group / "cgroup.procs").read_text() == "")
        await trio.Path(group).rmdir()
        assert (await stage.observe(key)).proven_dead


@needs_cgroup
@pytest.mark.parametrize("script", ["true", "mkdir -p $(find /sys/fs/cgroup -path '*'$NAME)/own/below"])
async def test_a_job_that_ends_well_leaves_no_control_group(stage: Stage, script: str) -> None:
    """Nor one that it has made below its own."""
    parent = cgroup_parent()
    assert parent is not None
    name = cgroup_of(parent, stage.directory("well")).name
    seen = await stage.ended(key := await stage.shell(script, key="well", env={"NAME": name}))
    assert seen.phase is Phase.SUCCEEDED
    run = await stage.started(key)
    assert not is_there(Path(run["cgroup"]["path"]))


IN_A_GROUP = """
import os, sys
from pathlib import Path
from actors.providers.local.shim import cgroup
if sys.argv[2] == "moved":
    cgroup.clone = lambda *_: os.close(-1)  # as the kernel refuses it
pid, entered = cgroup.fork_into(sys.argv[1])
if not pid:
    os._exit(sys.argv[1].rpartition("/")[2] in Path("/proc/self/cgroup").read_text())
print(entered, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize("way", ["cloned", "moved"])
@needs_cgroup
async def test_a_process_is_forked_into_its_group_or_moved_there(stage: Stage, way: str) -> None:
    parent = cgroup_parent()
    assert parent is not None
    group = cgroup_of(parent, stage.directory(way))
    assert cgroup.make(str(group)) is not None
    done = await trio.run_process([sys.executable, "-c", IN_A_GROUP, str(group), way], capture_stdout=True)
    assert done.stdout.startswith(b"True")
    assert way == "moved" or done.stdout.split()[1] == b"1", "from its first moment"
    cgroup.leave(str(group))
    assert not group.exists()


async def test_a_group_that_the_kernel_refuses_to_fill_is_not_claimed(tmp_path: Path) -> None:
    """The folder of a group there is, and no process in it: its being empty would prove nothing."""
    assert cgroup.make(str(tmp_path / "none" / "greenroom-1")) is None
    done = await trio.run_process([sys.executable, "-c", IN_A_GROUP, str(tmp_path), "cloned"], capture_stdout=True)
    assert done.stdout.split() == [b"False", b"0"]
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@needs_cgroup
@pytest.mark.parametrize("wrong", [{"path": "/sys/fs/cgroup"}, {"device": 0}, {"space": "cgroup:[1]"}, None])
def test_a_record_that_does_not_name_the_jobs_own_group_is_no_proof(
    tmp_path: Path, wrong: dict[str, Any] | None
) -> None:
    """Written by another's hand, or meant in another name space: nobody is killed by it, nothing follows from it."""
    parent = cgroup_parent()
    assert parent is not None
    directory = JobDirectory(tmp_path / "forged")
    space = str(Path("/proc/self/ns/cgroup").readlink())
    right = {"path": str(cgroup_of(parent, directory)), "device": parent.stat().st_dev, "space": space}
    assert end_cgroup(right, directory, time.monotonic())  # there is no such group any more
    assert not end_cgroup(wrong and {**right, **wrong}, directory, time.monotonic())


async def test_without_any_proof_a_lost_job_keeps_its_device_over_restarts(stage: Stage, no_cgroup: None) -> None:
    """What runs on was never ours to see, and it may end without our knowing: only a person can tell."""
    key, survivor = await shed(stage)
    assert stage.provider.capabilities.lost_job_proof is LostJobProof.NONE
    with ended_at_last(survivor):
        for provider in (stage.provider, stage.another()):
            seen = await stage.observe(key, by=provider)
            assert (seen.phase, seen.proven_dead, is_alive(survivor)) == (Phase.LOST, False, True)
            assert seen.error is not None
            assert seen.error.endswith("nothing here can prove that no process of it is left (greenroom doctor)")
            with pytest.raises(Unavailable, match="1 GPUs are requested and 0 are free"):
                await stage.hand_over("next", "true", resources=ONE, by=provider)
            with pytest.raises(Conflict):
                await provider.forget(key, {})
    await until(lambda: not is_alive(survivor))
    assert not (await stage.observe(key)).proven_dead


async def test_a_person_can_settle_it(stage: Stage, no_cgroup: None) -> None:
    """The device is free, for the next supervisor too, and the job can be removed."""
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        assert not (await stage.observe(key)).proven_dead
    await stage.provider.settled(key)
    for provider in (stage.provider, stage.another()):
        assert (await stage.observe(key, by=provider)).proven_dead
    await stage.ended(other := await stage.shell("echo $CUDA_VISIBLE_DEVICES", resources=ONE))
    assert stage.log(other) == "GPU-a\n"
    await stage.provider.forget(key, {})
    assert not stage.directory(key).path.exists()
    assert list((stage.root / "gone").iterdir()) == []


async def test_a_verdict_is_of_one_run(stage: Stage, no_cgroup: None) -> None:
    """The next job of the same key, after somebody removed the directory by hand, is not over with the first."""
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        await stage.provider.settled(key)
        assert (await stage.observe(key)).proven_dead
        run = json.loads(await trio.Path(stage.directory(key).started).read_text())
        write_durably(stage.directory(key).started, {**run, "shim_ticks": run["shim_ticks"] + 1})
        assert not (await stage.observe(key)).proven_dead


async def test_a_job_that_runs_cannot_be_settled(stage: Stage, no_cgroup: None) -> None:
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000", resources=ONE), "ready")
    await stage.provider.settled(key)
    assert (await stage.observe(key)).phase is Phase.RUNNING
    with pytest.raises(Unavailable):
        await stage.hand_over("next", "true", resources=ONE)


SUPERVISOR = """
import atexit, json, os, signal, sys, trio
from contextlib import suppress
from functools import partial
from pathlib import Path
from actors.jobs.records import JobRequest, Resources
from actors.providers.local import LocalOptions, LocalProvider, lost_jobs
from actors.providers.local.directory import JobDirectory, write_durably
from actors.providers.local.subreaper import become_subreaper
from tests.providers.local.stage import Stage, exists, is_alive, until
{script}
if {subreaper}:
    become_subreaper()
if {no_cgroup}:
    lost_jobs.cgroup_parent = lambda: None
stage = Stage(Path(sys.argv[1]), LocalOptions(cpus=8, gpus=("GPU-a",), grace_seconds=0.5))
trio.run(main, stage)
"""
LOSE = f"""
SHEDDING = {SHEDDING!r}
def end(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
async def lose(stage, key):
    await stage.shell(SHEDDING, key=key, resources=Resources(gpus=1))
    survivor = int((await stage.wrote(key, "shed")).read_text())
    atexit.register(end, survivor)
    shim = (await stage.started(key))["shim"]
    os.kill(shim, signal.SIGKILL)
    await until(lambda: not is_alive(shim))
    return survivor
async def report(stage, key):
    seen = await stage.observe(key)
    print(json.dumps([seen.phase.value, seen.proven_dead]), flush=True)
"""


async def run(root: Path, script: str, *before: str, subreaper: bool = True, no_cgroup: bool = True) -> list[Any]:
    """What a supervisor of its own prints, line by line."""
    code = SUPERVISOR.format(script=LOSE + script, subreaper=subreaper, no_cgroup=no_cgroup)
    argv = [*before, sys.executable, "-c", code, str(root)]
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(argv, capture_stdout=True, cwd=Path(__file__).parents[3])
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_a_subreaper_knows_when_the_last_process_of_a_lost_job_has_ended(stage: Stage) -> None:
    """What the killed shim leaves comes to the supervisor that started it: alive it is a doubt, ended a proof.

    Other children of the supervisor keep their exit status, and do not stand in the way.
    """
    script = """
async def main(stage):
    print(json.dumps(stage.provider.capabilities.lost_job_proof.value), flush=True)
    async with trio.open_nursery() as nursery:
        other = await nursery.start(partial(trio.run_process, ["sh", "-c", "sleep 60 & wait; exit 3"], check=False))
        survivor = await lose(stage, "lost")
        try:
            await report(stage, "lost")
            try:
                await stage.hand_over("next", "true", resources=Resources(gpus=1))
            except Exception as error:
                print(json.dumps(str(error)), flush=True)
        finally:
            os.kill(survivor, signal.SIGKILL)
        await until(lambda: not is_alive(survivor))
        await report(stage, "lost")
        while exists(survivor):  # until it is reaped
            await stage.provider.observe_many({})
            await trio.sleep(0.01)
        await stage.ended(await stage.shell("true", key="after", resources=Resources(gpus=1)))
        async with await trio.open_file(f"/proc/{other.pid}/task/{other.pid}/children") as file:
            os.kill(int(await file.read()), signal.SIGTERM)
        print(json.dumps(await other.wait()), flush=True)
"""
    assert await run(stage.root, script) == [
        "subreaper", ["lost", False], "1 GPUs are requested and 0 are free", ["lost", True], 3
    ]  # fmt: skip


async def test_what_a_subreaper_has_proven_holds_over_a_restart(stage: Stage) -> None:
    """The next supervisor could not prove it again."""
    lost = """
async def main(stage):
    os.kill(await lose(stage, "lost"), signal.SIGKILL)
    await stage.ended("lost")
    while not (await stage.observe("lost")).proven_dead:
        await trio.sleep(0.01)
    await report(stage, "lost")
"""
    after = "async def main(stage): await report(stage, 'lost')"
    assert await run(stage.root, lost) == [["lost", True]]
    assert await run(stage.root, after, subreaper=False) == [["lost", True]]


async def test_a_subreaper_that_did_not_start_the_shim_proves_nothing(stage: Stage) -> None:
    """The supervisor was restarted in between: what the shim left went to another."""
    first = """
async def main(stage):
    await stage.shell("setsid env -i sleep 1000 & echo $! > pid; mv pid shed; wait", key="lost")
    print(int((await stage.wrote("lost", "shed")).read_text()), flush=True)
"""
    (survivor,) = await run(stage.root, first)
    with ended_at_last(survivor):
        second = """
async def main(stage):
    shim = (await stage.started("lost"))["shim"]
    os.kill(shim, signal.SIGKILL)
    await until(lambda: not is_alive(shim))
    await report(stage, "lost")
"""
        assert await run(stage.root, second) == [["lost", False]]
        assert is_alive(survivor)


@needs_root
async def test_a_control_group_is_found_wherever_it_is_mounted(stage: Stage, tmp_path: Path) -> None:
    """In a name space of its own, in which nothing else is mounted as one."""
    script = """
async def main(stage):
    print(json.dumps(stage.provider.capabilities.lost_job_proof.value), flush=True)
    survivor = await lose(stage, "lost")
    await report(stage, "lost")
    print(json.dumps(is_alive(survivor)), flush=True)
"""
    (tmp_path / "cgroup").mkdir()
    mount = (
        "mount | grep -o '/[^ ]* type cgroup2' | cut -d' ' -f1 | xargs -r umount -l;"
        f' mount -t cgroup2 none {tmp_path}/cgroup || exit 77; exec "$@"'
    )  # fmt: skip
    before = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    if (await trio.run_process([*before, "test", "-w", f"{tmp_path}/cgroup/cgroup.procs"], check=False)).returncode:
        pytest.skip("no control groups (version 2) can be mounted and written here")
    assert await run(stage.root, script, *before, no_cgroup=False) == ["cgroup", ["lost", True], False]


@needs_root
async def test_another_boot_of_the_machine_proves_it(stage: Stage, no_cgroup: None, tmp_path: Path) -> None:
    """Whatever its number names now, no process of the job's is left; nobody is killed by a number of another boot."""
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        assert not (await stage.observe(key)).proven_dead
        (tmp_path / "boot").write_text("00000000-0000-4000-8000-000000000000\n")
        mount = f'mount --bind {tmp_path}/boot /proc/sys/kernel/random/boot_id || exit 77; exec "$@"'
        before = ["unshare", "--mount", "sh", "-c", mount, "sh"]
        if (await trio.run_process([*before, "true"], check=False)).returncode:
            pytest.skip("nothing can be mounted here")
        script = f"async def main(stage): await report(stage, {key!r})"
        assert await run(stage.root, script, *before, subreaper=False) == [["lost", True]]
        assert is_alive(survivor)
