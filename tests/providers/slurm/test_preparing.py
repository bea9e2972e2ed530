"""From a request to sbatch's options and the job's scripts: faults are named, and nothing is interpreted on the way."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.records import JobRequest, Resources
from actors.providers.entry_points import EntryPoint
from actors.providers.errors import Invalid
from actors.providers.slurm import SlurmOptions
from actors.providers.slurm.preparing import job_name, prepare_request
from actors.providers.slurm.script import SECOND_START, batch_script, run_script

GIB = 2**30
OPTIONS = SlurmOptions(entry_points={"train": EntryPoint(command=("true",), cwd="/srv/train")})


def prepared(request: JobRequest, options: SlurmOptions = OPTIONS) -> Mapping[str, Any]:
    return prepare_request(request, options).body


def options_of(spec: Mapping[str, Any], options: SlurmOptions = OPTIONS, **request: Any) -> list[str]:
    return list(prepared(JobRequest(command=("true",), spec=spec, **request), options)["options"])


def fault_of(request: JobRequest) -> str:
    with pytest.raises(Invalid) as caught:
        prepared(request)
    return str(caught.value)


def test_the_request_and_its_spec_become_options_of_sbatch() -> None:
    spec = {"partition": "gpu", "account": "lab", "qos": "high", "nodes": 2, "ntasks_per_node": 4,
            "constraint": "a100&nvlink", "reservation": "course"}  # fmt: skip
    needs = Resources(cpus=8, gpus=4, memory=64 * GIB)
    assert options_of(spec, resources=needs, max_runtime=5401.0, config_name="lr sweep") == [
        "--job-name=lr_sweep", "--cpus-per-task=8", "--gres=gpu:4", "--mem=65536M", "--time=91", "--partition=gpu",
        "--account=lab", "--qos=high", "--nodes=2", "--ntasks-per-node=4", "--constraint=a100&nvlink",
        "--reservation=course",
    ]  # fmt: skip


def test_what_is_not_asked_for_is_left_to_the_cluster() -> None:
    assert options_of({}) == ["--job-name=greenroom", "--cpus-per-task=1"]


def test_the_configurations_partition_holds_where_the_job_names_none() -> None:
    options = attrs.evolve(OPTIONS, partition="cpu", account="lab")
    assert options_of({"partition": "gpu"}, options)[2:] == ["--partition=gpu", "--account=lab"]


def test_memory_and_time_are_rounded_up() -> None:
    found = options_of({}, resources=Resources(memory=1), max_runtime=0.5)
    assert found[2:] == ["--mem=1M", "--time=1"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"partitoin": "gpu"}, "did you mean partition?"),
        ({"wrap": "rm -rf /"}, "spec.wrap"),
        ({"partition": "--uid=root"}, "spec.partition: must be a name"),
        ({"account": "a b"}, "spec.account: must be a name"),
        ({"constraint": "a;b"}, "spec.constraint: must be features"),
        ({"nodes": 0}, "spec.nodes: must be at least 1"),
        ({"nodes": 10**6}, "spec.nodes: must be at most"),
        ({"nodes": "2"}, "spec.nodes"),
        ({"ntasks_per_node": True}, "spec.ntasks_per_node"),
    ],
)
def test_a_wrong_spec_is_refused_by_name(spec: Mapping[str, Any], words: str) -> None:
    assert words in fault_of(JobRequest(command=("true",), spec=spec))


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"GREENROOM_JOB_ID": "x"}, "env.GREENROOM_JOB_ID is set by the provider"),
        ({"SLURM_JOB_ID": "x"}, "env.SLURM_JOB_ID is set by Slurm"),
        ({"CUDA_VISIBLE_DEVICES": "0"}, "env.CUDA_VISIBLE_DEVICES is set by Slurm"),
        ({"A-B": "x"}, "'A-B' cannot be set by a job script"),
        ({"X=$(id)": "x"}, "cannot be set by a job script"),
        ({"UID": "0"}, "'UID' cannot be set by a job script"),
        ({"A": "x\0"}, "env.A must be a text without NUL"),
    ],
)
def test_a_variable_that_a_script_cannot_set_is_refused(env: Mapping[str, str], words: str) -> None:
    assert words in fault_of(JobRequest(command=("true",), env=env))


@pytest.mark.parametrize("name", ["partition", "account", "qos", "reservation"])
def test_an_entry_point_spends_what_the_configuration_says(name: str) -> None:
    request = JobRequest(entry_point="train", spec={name: "other"})
    assert f"spec.{name} belongs to a command" in fault_of(request)
    assert prepared(JobRequest(entry_point="train", spec={"nodes": 2}))["cwd"] == "/srv/train"


def test_other_wrong_fields_are_all_named() -> None:
    words = fault_of(JobRequest(command=("true",), cwd="here", resources=Resources(cpus=0, gpus=-1), spec={"x": 1}))
    for part in ("cwd must be an absolute path", "resources.cpus must be at least 1", "resources.gpus", "spec.x"):
        assert part in words
    assert "is not UTF-8" in fault_of(JobRequest(command=("caf\udce9",)))


def test_what_is_inherited_goes_along_but_for_what_slurm_sets_and_no_script_can() -> None:
    inherited = {
        "PATH": "/usr/bin",
        "CUDA_VISIBLE_DEVICES": "3",
        "SLURM_JOB_ID": "1",
        "BASH_FUNC_x%%": "() {",
        "B": "2",
    }
    env = prepared(JobRequest(command=("true",), inherited_env=inherited, env={"A": "1"}))["env"]
    assert env == {"PYTHONUNBUFFERED": "1", "PATH": "/usr/bin", "B": "2", "A": "1"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [(None, "greenroom"), ("", "greenroom"), ("t-1.a", "t-1.a"), ("a b=c\n%j", "a_b_c_j"), ("…", "greenroom")],
)
def test_a_jobs_name_at_slurm_breaks_no_tool(name: str | None, shown: str) -> None:
    assert job_name(name) == shown


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@settings(max_examples=20, deadline=None)  # each starts an interpreter
@given(st.lists(texts, min_size=1, max_size=4), texts, st.sampled_from(["/bin/sh", "/bin/bash"]))
def test_arguments_and_values_arrive_as_they_are(arguments: list[str], value: str, shell: str) -> None:
    argv = [
        "/usr/bin/env",
        "python3",
        "-c",
        "import os, sys; print(ascii((sys.argv[1:], os.environ['V'])))",
        *arguments,
    ]
    if not Path(shell).exists():
        return
    script = run_script({"PATH": os.environ["PATH"], "V": value}, "/", argv)
    done = subprocess.run([shell, "-s"], input=script, capture_output=True, check=True, env={})
    assert done.stdout.decode().strip() == ascii((arguments, value))


Done = subprocess.CompletedProcess[str]


class Node:
    """A node that runs the batch script, without Slurm."""

    def __init__(self, path: Path) -> None:
        self.directory = path / "it's % here"
        self.job = self.directory / "jobs" / "k-1"
        self.job.mkdir(parents=True)

    def runs(
        self,
        argv: list[str],
        job_id: str = "7",
        env: Mapping[str, str] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Done:
        (self.job / "run").write_bytes(run_script(env or {}, str(self.job), argv))
        around = {"SLURM_JOB_ID": job_id, "SLURMD_NODENAME": "n1", "SLURM_NNODES": "2", "SECRET": "x", "TMPDIR": "/t",
                  "SLURM_ODD": "a b'\"$(id)\nSLURM_FAKE=1", "PATH": os.environ["PATH"], **(more or {})}  # fmt: skip
        return subprocess.run(
            ["/bin/sh", "-s"], input=batch_script(self.directory, "k-1").decode(), capture_output=True, text=True,
            check=False, env=around, umask=0o022,
        )  # fmt: skip


def test_the_batch_script_runs_the_program_once_and_writes_down_how_it_ended(tmp_path: Path) -> None:
    node = Node(tmp_path)
    first = node.runs(["/bin/sh", "-c", "echo ran; exit 3"])
    assert (first.returncode, first.stdout, first.stderr) == (3, "ran\n", "")
    exited = (node.directory / "k-1.exit").read_text()
    assert '"job": 7, "node": "n1"' in exited
    assert '"status": 3}' in exited
    assert '"job": 7' in (node.directory / "k-1.started" / "job").read_text()
    assert (node.directory / "k-1.exit").stat().st_mode & 0o077 == 0
    second = node.runs(["/bin/sh", "-c", "echo ran again"], job_id="8")
    assert second.returncode == SECOND_START
    assert "second start" in second.stdout
    assert "ran again" not in second.stdout
    assert (node.directory / "k-1.exit").read_text() == exited
    assert sorted(path.name for path in node.directory.iterdir()) == ["jobs", "k-1.exit", "k-1.started"]


def test_the_program_finds_its_own_environment_and_slurms_and_nothing_else(tmp_path: Path) -> None:
    done = Node(tmp_path).runs(
        ["/usr/bin/env", "python3", "-c", "import os; print(sorted(os.environ.items()))"],
        env={"PATH": os.environ["PATH"], "A": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = dict(eval(done.stdout))
    assert found["SLURM_NNODES"] == "2"
    assert found["SLURM_ODD"] == "a b'\"$(id)\nSLURM_FAKE=1"
    assert (found["A"], found["TMPDIR"], found["SLURMD_NODENAME"]) == ("1", "/t", "n1")
    assert "SECRET" not in found


def test_the_program_has_the_usual_umask_and_its_devices_are_recorded(tmp_path: Path) -> None:
    node = Node(tmp_path)
    done = node.runs(["/bin/sh", "-c", "umask"], more={"CUDA_VISIBLE_DEVICES": 'GPU-1,MIG-2/"$(id)"'})
    assert done.stdout == "0022\n"
    started = json.loads((node.directory / "k-1.started" / "job").read_text())
    assert started["devices"] == "GPU-1,MIG-2/id"


def test_a_signal_that_ends_the_program_is_recorded(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.runs(["/bin/sh", "-c", "kill -9 $$"])
    assert '"status": 137}' in (node.directory / "k-1.exit").read_text()


def test_a_directory_that_the_node_does_not_have_is_said(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.directory.rename(tmp_path / "elsewhere")
    done = subprocess.run(
        ["/bin/sh", "-s"], input=batch_script(node.directory, "k-1"), capture_output=True, check=False,
        env={"PATH": os.environ["PATH"], "SLURMD_NODENAME": "n1"},
    )  # fmt: skip
    assert done.returncode == 214
    assert b"every node needs that directory" in done.stdout
