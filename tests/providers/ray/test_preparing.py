"""A request in Ray's terms: what can be known to be wrong is refused before anything is sent, with the field's name."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.records import JobRequest, Resources
from actors.providers.entry_points import EntryPoint, Param
from actors.providers.errors import Invalid
from actors.providers.ray import RayOptions
from actors.providers.ray.preparing import entrypoint, prepare_request

TRAIN = EntryPoint(("python", "train.py", "--name={name}"), {"name": Param()}, cwd="/srv/train", env={"A": "1"})


def prepared(options: RayOptions | None = None, **request: Any) -> dict[str, Any]:
    return dict(prepare_request(JobRequest(**{"command": ("true",), **request}), options or RayOptions()).body)


def refusal(options: RayOptions | None = None, **request: Any) -> str:
    with pytest.raises(Invalid) as caught:
        prepared(options, **request)
    return str(caught.value)


@given(st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), min_size=1))
def test_an_argument_is_a_word_whatever_stands_in_it(argv: list[str]) -> None:
    """Ray gives the line to /bin/sh."""
    assert shlex.split(entrypoint(("run", *argv), None, None, 10)) == ["exec", "run", *argv]


def test_the_shell_sees_no_more_than_words() -> None:
    line = entrypoint(("printf", "%s|", "$HOME; echo x", "`id`", "a'b\"c", "*"), None, None, 10)
    answer = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, text=True)
    assert answer.stdout == "$HOME; echo x|`id`|a'b\"c|*|"


def test_a_shared_directory_is_entered_on_the_node() -> None:
    body = prepared(RayOptions(cwd="shared"), cwd="/mnt/my code")
    assert body["request"]["entrypoint"] == "cd '/mnt/my code' && exec true"
    assert body["upload"] is None


def test_a_directory_is_uploaded_unless_the_nodes_fetch_one_themselves() -> None:
    assert prepared(cwd="/srv/x")["upload"] == "/srv/x"
    assert prepared(RayOptions(cwd="none"), cwd="/srv/x")["upload"] is None
    fetched = prepared(cwd="/srv/x", spec={"runtime_env": {"working_dir": "s3://b/code.zip"}})
    assert (fetched["upload"], fetched["request"]["runtime_env"]["working_dir"]) == (None, "s3://b/code.zip")
    named = prepared(cwd="/srv/x", spec={"runtime_env": {"working_dir": "/srv/y"}})
    assert named["upload"] == "/srv/y"
    assert "working_dir" not in named["request"]["runtime_env"]


def test_resources_are_rays() -> None:
    request = prepared(resources=Resources(cpus=2, gpus=1, memory=4096))["request"]
    assert [request[f"entrypoint_{name}"] for name in ("num_cpus", "num_gpus", "memory")] == [2, 1, 4096]


def test_a_deadline_is_kept_on_the_node() -> None:
    request = prepared(max_runtime=90.0)["request"]
    assert request["entrypoint"] == "exec timeout --foreground --kill-after=10 90 true"
    assert request["metadata"] == {"greenroom_max_runtime": "90"}


def test_environments_are_merged_and_the_time_to_stop_is_among_them() -> None:
    """Under a job's own runtime environment lies the provider's, over both the job's variables."""
    options = RayOptions(runtime_env={"pip": ["torch"], "env_vars": {"A": "1", "B": "1"}}, stop_wait_seconds=60)
    spec = {"runtime_env": {"env_vars": {"B": "2", "C": "2"}}}
    runtime_env = prepared(options, spec=spec, env={"C": "3"})["request"]["runtime_env"]
    assert runtime_env == {
        "pip": ["torch"],
        "env_vars": {"A": "1", "B": "2", "C": "3", "RAY_JOB_STOP_WAIT_TIME_S": "60"},
    }
    assert prepared(options, spec={"stop_wait_seconds": 5})["request"]["runtime_env"]["env_vars"][
        "RAY_JOB_STOP_WAIT_TIME_S"
    ] == "5"  # fmt: skip


def test_of_the_submitters_environment_only_what_was_named_travels() -> None:
    """PATH and HOME of this machine mean nothing on another."""
    found = {"PATH": "/usr/bin", "HOME": "/home/ana", "WANDB_MODE": "offline"}
    assert "PATH" not in prepared(inherited_env=found)["request"]["runtime_env"]["env_vars"]
    named = prepared(env_from=("WANDB_MODE",), inherited_env={"WANDB_MODE": "offline"})
    assert named["request"]["runtime_env"]["env_vars"]["WANDB_MODE"] == "offline"


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        ({"spec": {"runtime_envv": {}}}, "spec.runtime_envv: unknown key; did you mean runtime_env?"),
        ({"spec": {"runtime_env": {"pipp": []}}}, "spec.runtime_env.pipp: unknown key; did you mean pip?"),
        ({"spec": {"runtime_env": []}}, "spec.runtime_env: must be a mapping"),
        ({"spec": {"runtime_env": {"env_vars": {"A": 1}}}}, "spec.runtime_env.env_vars.A must be a text"),
        ({"spec": {"runtime_env": {"env_vars": {"GREENROOM_JOB_ID": "x"}}}}, "is set by the provider itself"),
        ({"spec": {"runtime_env": {"working_dir": "train"}}}, "working_dir: must be an absolute path or an address"),
        ({"spec": {"runtime_env": {"py_modules": ["/srv/lib"]}}}, "py_modules: must be addresses"),
        ({"spec": {"metadata": {"n": 1}}}, "spec.metadata.n: must be a text"),
        ({"spec": {"metadata": {"greenroom_token": "x"}}}, "spec.metadata.greenroom_token: must be a name"),
        ({"spec": {"entrypoint_resources": {"tpu": -1}}}, "spec.entrypoint_resources.tpu: must be 0 or more"),
        ({"spec": {"entrypoint_resources": {"tpu": True}}}, "spec.entrypoint_resources.tpu: must be a number"),
        ({"spec": {"stop_wait_seconds": "5.5s"}}, "spec.stop_wait_seconds: must be a whole number"),
        ({"spec": {"stop_wait_seconds": 1.5}}, "spec.stop_wait_seconds: must be a whole number"),
        ({"spec": {"stop_wait_seconds": -1}}, "spec.stop_wait_seconds: must be 0 or more"),
        ({"spec": {"secret_env": ["AWS_SECRET"]}}, "'AWS_SECRET' is not among the provider's secret_env"),
        ({"spec": {"secret_env": "HF_TOKEN"}}, "spec.secret_env: must be a list"),
        ({"env": {"A=B": "1"}}, "env: 'A=B' cannot be the name of a variable"),
        ({"command": ()}, "command must name a program"),
        ({"command": ("a\0b",)}, "NUL"),
        ({"params": {"x": 1}}, "params belong to an entry_point"),
        ({"entry_point": "train"}, "either command (an argv) or entry_point"),
        ({"cwd": "train"}, "cwd must be an absolute path"),
        ({"max_runtime": 0.0}, "max_runtime must be more than 0"),
        ({"resources": Resources(gpus=-1)}, "resources.gpus must be 0 or more"),
    ],
)
def test_what_is_wrong_is_refused_with_its_name(request_: dict[str, Any], fault: str) -> None:
    assert fault in refusal(**request_)


def test_every_fault_is_told_at_once() -> None:
    told = refusal(spec={"x": 1, "stop_wait_seconds": -1}, cwd="y", env={"": "1"})
    assert [name for name in ("spec.x", "spec.stop_wait_seconds", "cwd", "env") if name in told] == [
        "spec.x", "spec.stop_wait_seconds", "cwd", "env",
    ]  # fmt: skip


def test_what_can_never_fit_is_refused() -> None:
    assert "resources.gpus: 8 requested" in refusal(RayOptions(gpus=4), resources=Resources(gpus=8))


class TestAnEntryPoint:
    """A program of the configuration, for those who may not send commands (B21)."""

    options = RayOptions(entry_points={"train": TRAIN}, secret_env=("HF_TOKEN",))

    def test_has_the_configurations_directory_and_environment(self) -> None:
        body = prepared(self.options, command=None, entry_point="train", params={"name": "a b"}, env={"A": "2"})
        assert body["request"]["entrypoint"] == "exec python train.py '--name=a b'"
        assert body["upload"] == "/srv/train"
        assert body["request"]["runtime_env"]["env_vars"]["A"] == "1"

    @pytest.mark.parametrize(
        "more",
        [
            {"cwd": "/etc"},
            {"spec": {"runtime_env": {"working_dir": "/etc"}}},
            {"spec": {"runtime_env": {"py_executable": "sh"}}},
            {"spec": {"secret_env": ["HF_TOKEN"]}},
        ],
    )
    def test_takes_no_command_in_disguise(self, more: dict[str, Any]) -> None:
        """Nor a directory of this machine, nor a secret."""
        told = refusal(self.options, command=None, entry_point="train", params={"name": "x"}, **more)
        assert "of the configuration" in told


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"address": "ray://head:10001"}, "address must begin with http"),
        ({"cpus": 0}, "cpus must be at least 1"),
        ({"stop_wait_seconds": -1}, "stop_wait_seconds"),
        ({"shared_dir": "x"}, "shared_dir must be an absolute path"),
        ({"exclude": ("a/b",)}, "exclude"),
        ({"runtime_env": {"pipp": []}}, "runtime_env.pipp: unknown key; did you mean pip?"),
        ({"log_bytes": 0}, "log_bytes"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault.replace("?", r"\?")):
        RayOptions(**options)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("command[1]", {"command": ("true", "\udcff")}),
        ("cwd", {"cwd": "/\udcff"}),
        ("env.A", {"env": {"A": "\udcff"}}),
        ("inherited_env.A", {"env_from": ("A",), "inherited_env": {"A": "\udcff"}}),
    ],
)
def test_bytes_that_are_not_utf8_are_refused_by_their_field(field: str, value: dict[str, Any]) -> None:
    """Ray's requests are JSON; a local path or variable that it never gets may hold anything."""
    assert f"{field} is not UTF-8" in refusal(**value)
    prepared(inherited_env={"PATH": "/opt/\udcff"})
