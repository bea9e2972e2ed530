"""A refusal of a provider carries the field that is to be changed; nothing reads it out of a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from actors.jobs.records import JobRequest, Resources
from actors.jobs.refusal import Refused
from actors.kernel import VirtualClock
from actors.providers import errors
from actors.providers.base import Prepared
from actors.providers.entry_points import EntryPoint, Param
from actors.providers.local import LocalOptions
from actors.providers.local.provider import prepare_request as prepare_local
from actors.providers.ray.options import RayOptions
from actors.providers.ray.preparing import prepare_request as prepare_ray
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.preparing import prepare_request as prepare_replicate
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.script import read_script
from actors.providers.slurm.options import SlurmOptions
from actors.providers.slurm.preparing import prepare_request as prepare_slurm
from actors.runtime import RunningRuntime
from actors.testing import request, running_runtime

ENTRY = {"train": EntryPoint(("train", "{lr}", "{tag}"), {"lr": Param("float"), "tag": Param(default="x")})}
LONG = "x" * 200_000
NOT_UTF8 = "\udcff"

OF_PROGRAMS: list[tuple[dict[str, Any], list[str | None]]] = [
    ({}, [None]),
    ({"command": ("true",), "entry_point": "train"}, [None]),
    ({"command": ()}, ["command"]),
    ({"command": ("a\0",)}, ["command"]),
    ({"command": ("true",), "params": {"lr": 1}}, ["params"]),
    ({"command": ("true",), "cwd": "here"}, ["cwd"]),
    ({"command": ("true",), "max_runtime": -1.0}, ["max_runtime"]),
    ({"command": ("true",), "resources": Resources(gpus=-1, cpus=-2)}, ["resources.cpus", "resources.gpus"]),
    ({"command": ("true",), "env": {"A=B": "x"}}, ["env"]),
    ({"command": ("true",), "env": {"AB": "x\0"}}, ["env.AB"]),
    ({"command": ("true",), "env": {"GREENROOM_JOB_ID": "x"}}, ["env.GREENROOM_JOB_ID"]),
    ({"entry_point": "tain"}, ["entry_point"]),
    ({"entry_point": "train", "params": {"lr": "a", "what is this": 1}}, ["params.what is this", "params.lr"]),
    ({"entry_point": "train"}, ["params.lr"]),
    ({"entry_point": "train", "params": {"lr": 1, "tag": "-x"}}, ["params.tag"]),
    ({"command": ("true",), "spec": {"nosuchkey": 1}}, ["spec.nosuchkey"]),
]  # fmt: skip
OF_ONE: dict[str, list[tuple[dict[str, Any], list[str | None]]]] = {
    "local": [],
    "ray": [
        ({"command": ("true",), "spec": {"secret_env": ["HF"]}}, ["spec.secret_env"]),
        ({"command": ("true",), "spec": {"runtime_env": {"pipp": []}}}, ["spec.runtime_env.pipp"]),
        ({"command": ("true",), "spec": {"runtime_env": {"env_vars": {"A": 1}}}}, ["spec.runtime_env.env_vars.A"]),
        ({"command": ("true", NOT_UTF8)}, ["command[1]"]),
        ({"entry_point": "train", "params": {"lr": 1}, "cwd": "/x"}, ["cwd"]),
    ],
    "slurm": [
        ({"command": ("true",), "env": {"SLURM_JOB_ID": "1"}}, ["env.SLURM_JOB_ID"]),
        ({"command": ("true",), "resources": Resources(cpus=0)}, ["resources.cpus"]),
        ({"command": ("true",), "spec": {"nodes": 0, "qos": "a b"}}, ["spec.qos", "spec.nodes"]),
        ({"entry_point": "train", "params": {"lr": 1}, "spec": {"partition": "gpu"}}, ["spec.partition"]),
    ],
    "replicate": [
        ({"command": ("true",)}, ["command", "spec"]),
        ({"spec": {"model": "a/b:c", "version": "d"}}, ["spec.version"]),
        ({"spec": {"destination": "a/b", "model": "a/b"}}, ["spec.model"]),
        ({"spec": {"model": "a/b", "webhook_events_filter": ["start"]}}, ["spec.webhook_events_filter"]),
        ({"spec": {"model": "a/b"}, "max_runtime": 1.0}, ["max_runtime"]),
        ({"spec": {"modle": "a/b"}}, ["spec.modle"]),
    ],
    "scripted": [({"spec": {"duration": -1, "a: b": 1}}, ['spec."a: b"', "spec.duration"])],
}  # fmt: skip
PREPARE: dict[str, Callable[[JobRequest], object]] = {
    "local": partial(prepare_local, options=LocalOptions(entry_points=ENTRY)),
    "ray": partial(prepare_ray, options=RayOptions(entry_points=ENTRY)),
    "slurm": partial(prepare_slurm, options=SlurmOptions(entry_points=ENTRY)),
    "replicate": partial(prepare_replicate, options=ReplicateOptions()),
    "scripted": lambda asked: read_script(asked.spec),
}
CASES = [
    pytest.param(name, fields, expected, id=f"{name}-{number}")
    for name in PREPARE
    for number, (fields, expected) in enumerate(
        OF_ONE[name] + (OF_PROGRAMS if name in ("local", "ray", "slurm") else [])
    )
]


@pytest.mark.parametrize(("name", "fields", "expected"), CASES)
def test_every_fault_that_a_provider_finds_has_its_field(
    name: str, fields: dict[str, Any], expected: list[str | None]
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        PREPARE[name](JobRequest(provider=name, **fields))
    assert sorted(map(str, [one.field for one in refused.value.faults])) == sorted(map(str, expected))
    assert refused.value.field == refused.value.faults[0].field
    for fault in refused.value.faults:
        assert fault.field is None or fault.field in fault.message or fault.field.startswith("params."), fault


class Refuses(ScriptedProvider):
    """A provider of somebody else, which words its refusals in its own way."""

    error: Exception

    def prepare(self, request: JobRequest) -> Prepared:
        raise self.error


@pytest.fixture
async def refusing() -> AsyncIterator[tuple[RunningRuntime, Refuses]]:
    clock = VirtualClock()
    provider = Refuses(ScriptedOptions(), ScriptedRemote(clock.now))
    async with running_runtime(provider, clock=clock) as runtime:
        yield runtime, provider


@pytest.mark.parametrize(
    ("error", "field", "message"),
    [
        (errors.Invalid("command is what this service does not run", field="spec.image"), "spec.image", "command is"),
        (errors.Invalid("params.lr is too much"), None, "params.lr is too much"),
        (errors.Invalid(), None, "Invalid"),
        (RuntimeError("cwd is None"), None, "cwd is None"),
    ],
)  # fmt: skip
async def test_the_field_is_the_one_that_the_error_carries_whatever_its_sentence_begins_with(
    autojump_clock: Any, refusing: tuple[RunningRuntime, Refuses], error: Exception, field: str | None, message: str
) -> None:
    runtime, provider = refusing
    provider.error = error
    with pytest.raises(Refused) as refused:
        await runtime.submit(request())
    assert refused.value.field == field
    assert message in str(refused.value)
    assert await runtime.jobs.page() == []


async def test_several_faults_keep_their_fields_and_sentences(
    autojump_clock: Any, refusing: tuple[RunningRuntime, Refuses]
) -> None:
    runtime, provider = refusing
    faults = [errors.wrong("env.A", "is not wanted"), errors.FieldFault(None, "say more"), errors.wrong("cwd", ": no")]
    provider.error = errors.Invalid(*faults)
    with pytest.raises(Refused) as refused:
        await runtime.submit(request())
    assert (refused.value.field, str(refused.value)) == ("env.A", "env.A is not wanted; say more; cwd: no")
    assert refused.value.faults == (("env.A", "env.A is not wanted"), ("", "say more"), ("cwd", "cwd: no"))
