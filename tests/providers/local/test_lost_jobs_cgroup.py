"""A control group proves that nothing is left of a job whose shim was killed, and ends what is."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.records import Phase
from actors.providers.local import LocalOptions
from actors.providers.local.cgroups import cgroup_of, cgroup_parent, end_cgroup
from actors.providers.local.directory import JobDirectory
from actors.providers.local.shim import cgroup
from tests.providers.local.shedding import ONE, ended_at_last, shed
from tests.providers.local.stage import ONE_DEVICE, Stage, is_alive, needs_cgroup, until

pytestmark = pytest.mark.parts


@pytest.fixture
def options() -> LocalOptions:
    """A machine with one device."""
    return ONE_DEVICE


def is_there(group: Path) -> bool:
    return group.exists()


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
