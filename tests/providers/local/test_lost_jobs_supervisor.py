"""What a supervisor of its own can prove of a lost job: as a subreaper, in another mount name space, after a boot."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.providers.local import LocalOptions
from tests.providers.local.shedding import SHEDDING, ended_at_last, shed
from tests.providers.local.stage import ONE_DEVICE, PATIENCE, Stage, is_alive

pytestmark = pytest.mark.parts

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


SUPERVISOR = """
import atexit, json, os, signal, sys, trio
from contextlib import suppress
from functools import partial
from pathlib import Path
from actors.jobs.records import JobRequest, Resources
from actors.providers.local import lost_jobs
from actors.providers.local.directory import JobDirectory, write_durably
from actors.providers.local.subreaper import become_subreaper
from tests.providers.local.stage import ONE_DEVICE, Stage, exists, is_alive, until
{script}
if {subreaper}:
    become_subreaper()
if {no_cgroup}:
    lost_jobs.cgroup_parent = lambda: None
stage = Stage(Path(sys.argv[1]), ONE_DEVICE)
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


@pytest.fixture
def options() -> LocalOptions:
    """A machine with one device."""
    return ONE_DEVICE


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """Cleaned up even where others do all the work."""
    stage.another()
    return stage


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
