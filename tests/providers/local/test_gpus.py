"""A GPU belongs to one job until nothing of that job is left, whoever is killed and whoever looks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobRequest, Phase, Resources
from actors.providers.errors import Unavailable
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.local.capacity import machine_devices
from actors.providers.local.gpus import FoundGpus
from tests.providers.local.stage import Stage, is_alive, needs_cgroup, until

ONE, TWO = Resources(gpus=1), Resources(gpus=2)
HOLDER = "echo $CUDA_VISIBLE_DEVICES; touch ready; exec sleep 1000"


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """A machine with two devices."""
    stage.options = LocalOptions(cpus=8, gpus=("GPU-a", "GPU-b"), grace_seconds=0.5)
    return stage


async def holding(stage: Stage, by: LocalProvider | None = None) -> str:
    await stage.wrote(key := await stage.shell(HOLDER, resources=ONE, by=by), "ready")
    await stage.logged(key, "\n")
    return key


async def test_two_jobs_never_see_the_same_device(stage: Stage) -> None:
    """And a third is surely not accepted, leaves nothing, and may come again when one has ended."""
    keys = [await holding(stage), await holding(stage)]
    assert [stage.log(key) for key in keys] == ["GPU-a\n", "GPU-b\n"]
    assert list(stage.provider.devices) == ["GPU-a", "GPU-b"]
    with pytest.raises(Unavailable, match="1 GPUs are requested and 0 are free"):
        await stage.hand_over("third", "true", resources=ONE)
    assert not stage.directory("third").path.exists()
    await stage.provider.cancel(keys[0], {})
    await stage.ended(keys[0])
    await stage.ended(key := await stage.shell("echo $CUDA_VISIBLE_DEVICES", resources=ONE))
    assert stage.log(key) == "GPU-a\n"


async def test_a_job_may_have_several(stage: Stage) -> None:
    await stage.ended(key := await stage.shell("echo $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER", resources=TWO))
    assert stage.log(key) == "GPU-a,GPU-b PCI_BUS_ID\n"


async def test_a_job_without_gpus_sees_none(stage: Stage) -> None:
    """An empty list hides all; a variable that is not set would show all."""
    await stage.ended(key := await stage.shell('echo "${CUDA_VISIBLE_DEVICES-unset}."'))
    assert stage.log(key) == ".\n"


async def test_leases_hold_over_a_restart_of_the_supervisor(stage: Stage) -> None:
    first = await holding(stage)
    await stage.provider.aclose()
    second = await holding(stage, by=stage.another())
    assert [stage.log(first), stage.log(second)] == ["GPU-a\n", "GPU-b\n"]


async def test_the_job_itself_does_not_hold_the_lease(stage: Stage) -> None:
    """A daemon of the job must not keep a device; the shim's life does."""
    key = await stage.shell("ls /proc/self/fd | wc -l", resources=TWO)
    await stage.ended(key)
    assert stage.log(key) == "4\n"


@needs_cgroup
async def test_a_device_comes_back_only_when_its_lost_job_is_cleared(stage: Stage) -> None:
    """The shim's death frees the lock, not the device: what runs on is ended before the next job gets it."""
    script = "sleep 1000 & echo $! > pid; touch ready; wait"
    await stage.wrote(key := await stage.shell(script, resources=TWO), "ready")
    pid = int((stage.directory(key).work / "pid").read_text())
    shim = (await stage.started(key))["shim"]
    os.kill(shim, signal.SIGKILL)
    await until(lambda: not is_alive(shim))
    assert is_alive(pid)
    await stage.ended(next_job := await stage.shell("echo $CUDA_VISIBLE_DEVICES", resources=TWO))
    assert (stage.log(next_job), is_alive(pid)) == ("GPU-a,GPU-b\n", False)


async def test_a_job_that_was_written_down_waits_for_its_device(stage: Stage) -> None:
    """Its supervisor was killed before it started a shim; meanwhile others took the devices."""
    keys = [await holding(stage), await holding(stage)]
    directory = stage.directory("left")
    env = {"PATH": os.environ["PATH"]}
    directory.place({"argv": ["true"], "cwd": "/", "env": env, "gpus": 1, "grace_seconds": 0.5})
    seen = await stage.observe("left")
    assert (seen.phase, seen.raw_status) == (Phase.STARTING, "waiting: 1 GPUs are requested and 0 are free")
    await stage.provider.cancel(keys[1], {})
    await stage.ended(keys[1])
    assert (await stage.ended("left")).phase is Phase.SUCCEEDED


async def test_more_than_there_is_is_seen_before_the_job_is_accepted(stage: Stage) -> None:
    (faults,) = await stage.provider.check_requests([JobRequest(command=("true",), resources=Resources(gpus=3))])
    assert [fault.message for fault in faults] == [
        "resources: this machine has 2 GPUs in all, the job needs 3 GPUs; ask for less"
    ]


ONE_GPU, OTHER_GPU = (f"GPU-0000000{n}-1111-2222-3333-444444444444" for n in (1, 2))
LOST = "Unable to determine the device handle for GPU 0000:0B:00.0: GPU is lost.  Reboot the system to recover this GPU"
NVML = "Failed to initialize NVML: Unknown Error"
NO_DRIVER = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."


@pytest.mark.parametrize(
    ("script", "devices", "fault"),
    [
        (f"echo {ONE_GPU}; echo {OTHER_GPU}", (ONE_GPU, OTHER_GPU), ""),
        (f"echo {ONE_GPU}; echo {ONE_GPU}", (ONE_GPU,), ""),
        ("", (), ""),
        ("exit 9", (), "nvidia-smi: status 9"),
        (f'echo "{NO_DRIVER}"; exit 9', (), f"nvidia-smi: {NO_DRIVER}"),
        ('echo "No devices were found"', (), "nvidia-smi: No devices were found"),
        (f'echo "{NVML}" >&2; exit 255', (), f"nvidia-smi: {NVML}"),
        (f'echo {ONE_GPU}; echo "[Unknown Error]"', (ONE_GPU,), "nvidia-smi: [Unknown Error]"),
        (f'echo "{LOST}"; [ "$1" != -L ] || echo "GPU 1: A (UUID: {OTHER_GPU})"', (OTHER_GPU,), f"nvidia-smi: {LOST}"),
    ],
)  # fmt: skip
def test_devices_are_what_nvidia_smi_names_and_its_errors_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, devices: tuple[str, ...], fault: str
) -> None:
    """By UUID, which stays with the device; a device that fell off the bus takes no other with it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = machine_devices(LocalOptions())
    assert (found.devices, found.fault) == (devices, fault)
    assert machine_devices(LocalOptions(gpus=3)).devices == ("0", "1", "2")


def test_without_nvidia_smi_there_is_no_device_and_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine_devices(LocalOptions()) == FoundGpus()


async def test_a_driver_that_fails_is_one_warning_of_who_runs_jobs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("actors.providers.local.capacity.find_gpus", lambda: FoundGpus((ONE_GPU,), "nvidia-smi: lost"))
    provider = stage.another(gpus=None)
    assert provider.capacity().gpus == 1
    for _ in range(2):
        with trio.move_on_after(0.05):
            await provider.watch(lambda _key: None)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["The GPU driver fails, 1 GPUs can be used: nvidia-smi: lost"]


@pytest.mark.parametrize("thing", ["pipe", "link", "directory"])
async def test_a_lease_that_is_no_file_is_no_lease(stage: Stage, thing: str) -> None:
    """The other device is still to be had, and nothing waits."""
    stage.provider  # noqa: B018 - makes the folders
    place = stage.root / "devices" / "gpu-GPU-a"
    {"pipe": lambda: os.mkfifo(place), "link": lambda: place.symlink_to("/dev/null"), "directory": place.mkdir}[thing]()
    await stage.ended(key := await stage.shell("echo $CUDA_VISIBLE_DEVICES", resources=ONE))
    assert stage.log(key) == "GPU-b\n"
