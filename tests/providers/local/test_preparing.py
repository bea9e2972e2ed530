"""What can be known to be wrong is refused before anything is written, all of it at once, with the fix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.jobs.records import Capacity, JobRequest, Resources
from actors.providers.entry_points import EntryPoint, Param
from actors.providers.errors import Invalid, Unavailable
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.local.provider import prepare_request, require_linux

ROOT = Path(__file__).resolve().parents[3]
TRAIN = EntryPoint(
    ("python", "train.py", "--epochs={epochs}", "{name}"),
    {"epochs": Param("int", min=1, max=10), "name": Param(default="run")},
    cwd="/srv",
    env={"MODE": "fixed"},
)
OPTIONS = LocalOptions(entry_points={"train": TRAIN})


def prepare(**request: Any) -> dict[str, Any]:
    return dict(prepare_request(JobRequest(**request), OPTIONS).body)


def test_a_command_is_an_argv_as_given() -> None:
    body = prepare(command=("sh", "-c", "echo $HOME; rm *"), cwd="/w", env={"A": "1"}, max_runtime=5.0)
    assert (body["argv"], body["cwd"], body["env"]) == (["sh", "-c", "echo $HOME; rm *"], "/w", {"A": "1"})
    assert (body["gpus"], body["max_runtime"], body["inherited_env"]) == (0, 5.0, None)


def test_an_entry_point_gives_argv_folder_and_environment() -> None:
    """What the configuration says of the environment wins over the request."""
    body = prepare(entry_point="train", params={"epochs": 3}, env={"MODE": "mine", "A": "1"})
    assert body["argv"] == ["python", "train.py", "--epochs=3", "run"]
    assert (body["cwd"], body["env"]) == ("/srv", {"MODE": "fixed", "A": "1"})


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        ({}, "give either command"),
        ({"command": ("a",), "entry_point": "train"}, "give either command"),
        ({"command": ()}, "command must name a program"),
        ({"command": ("",)}, "command must name a program"),
        ({"command": ("a", "b\0c")}, "command must not hold NUL"),
        ({"command": ("a",), "params": {"x": 1}}, "params belong to an entry_point"),
        ({"command": ("a",), "spec": {"image": "x"}}, "spec.image is unknown"),
        ({"command": ("a",), "cwd": "here"}, "cwd must be an absolute path"),
        ({"command": ("a",), "env": {"A=B": "1"}}, "cannot be the name of a variable"),
        ({"command": ("a",), "env": {"": "1"}}, "cannot be the name of a variable"),
        ({"command": ("a",), "env": {"A": 1}}, "env.A must be a text"),
        ({"command": ("a",), "env": {"GREENROOM_JOB_ID": "1"}}, "env.GREENROOM_JOB_ID is set by the provider"),
        ({"command": ("a",), "env": {"CUDA_VISIBLE_DEVICES": "0"}}, "env.CUDA_VISIBLE_DEVICES is set by the provider"),
        ({"command": ("a",), "max_runtime": 0.0}, "max_runtime must be more than 0"),
        ({"command": ("a",), "max_runtime": float("nan")}, "max_runtime must be more than 0"),
        ({"command": ("a",), "resources": Resources(gpus=-1)}, "resources.gpus must be 0 or more"),
        ({"entry_point": "xyz"}, "known are train; others are added in section entry_points of the supervisor's"),
        ({"entry_point": "trian"}, "'trian' is not configured; did you mean train?"),
    ],
)
def test_a_wrong_request_is_refused_naming_the_field(request_: dict[str, Any], fault: str) -> None:
    with pytest.raises(Invalid) as refused:
        prepare(**request_)
    assert fault in str(refused.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        prepare(command=("",), cwd="x", max_runtime=-1.0)
    assert str(refused.value).count(";") == 2


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"cpus": 0}, "cpus"),
        ({"gpus": -1}, "gpus"),
        ({"gpus": ("a,b",)}, "gpus"),
        ({"memory": 0}, "memory"),
        ({"grace_seconds": -1.0}, "grace_seconds"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        LocalOptions(**options)


def test_capacity_is_this_machine_unless_the_options_say_otherwise(tmp_path: Path) -> None:
    options = LocalOptions(cpus=3, gpus=2, memory=2**30)
    assert LocalProvider(options, tmp_path).capacity() == Capacity(cpus=3, gpus=2, memory=2**30)
    plain = LocalProvider(LocalOptions(gpus=0), tmp_path).capacity()
    assert plain.cpus is not None
    assert plain.memory is not None
    assert (plain.cpus > 0, plain.gpus, 0 < plain.memory < 2**50) == (True, 0, True)


@pytest.mark.parametrize(("platform", "release"), [("darwin", "23.1.0"), ("win32", ""), ("linux", "5.2.21-generic")])
def test_elsewhere_it_is_refused_in_one_sentence(platform: str, release: str) -> None:
    with pytest.raises(Unavailable, match=r"^the local provider needs Linux 5\.3 or newer, and this is [^.]*"):
        require_linux(platform, release)


@pytest.mark.parametrize("release", ["5.3.0", "5.10.0-8-amd64", "6.18.44-fc", "7.0-rc1", "odd"])
def test_a_linux_that_can_is_accepted(release: str) -> None:
    require_linux("linux", release)


def test_it_can_be_imported_where_it_cannot_run() -> None:
    """Without fcntl, as on Windows: everything else there runs."""
    code = (
        "import sys, logconf; sys.modules['fcntl'] = None\n"
        "from actors.providers.local import LocalOptions, LocalProvider\n"
        "from actors.providers.errors import Unavailable\nsys.platform = 'win32'\n"
        "try:\n    LocalProvider(LocalOptions(), None)\nexcept Unavailable as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "the local provider needs Linux 5.3 or newer, and this is win32; use another provider\n"


async def test_check_tells_what_there_is(tmp_path: Path) -> None:
    provider = LocalProvider(LocalOptions(cpus=2, gpus=0), tmp_path)
    facts = await provider.check()
    assert (facts["cpus"], facts["gpus"], facts["directory"]) == (2, 0, str(tmp_path / "jobs"))
    assert facts["free_bytes"] > 0
    (tmp_path / "jobs").rmdir()
    with pytest.raises(Unavailable, match="cannot be used"):
        await provider.check()
