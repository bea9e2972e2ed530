"""A request of the program that runs the runtime is refused where a field has not its type, and nothing is stored."""

from __future__ import annotations

import math
from types import MappingProxyType

import attrs
import pytest

from actors.jobs.options import Limits
from actors.jobs.records import JobRequest, Rerun, Resources
from actors.jobs.refusal import RefusalKind, Refused
from actors.testing import request

HOSTILE = {
    "number": 5.5,
    "too large": 2**70,
    "bytes": b"x",
    "object": object(),
    "set": {"x"},
    "text": "much",
    "true": True,
    "nan": math.nan,
    "infinity": -math.inf,
    "list": [1],
    "nested list": [["a"]],
    "names that are no texts": {1: "a"},
    "values that are no texts": {"a": object()},
    "values that are not finite": {"a": [math.nan]},
    "record": Rerun(times=1.5),
    "resources": Resources(cpus="1"),
}
GOOD = {  # by field: the values of HOSTILE that it may have
    "entry_point": {"text"},
    "cwd": {"text"},
    "org_id": {"text"},
    "team_id": {"text"},
    "config_name": {"text"},
    "hardware_type": {"text"},
    "idempotency_key": {"text"},
    "requires_approval": {"text"},
    "group": {"text"},
    "user_id": {"text"},
    "estimated_cost": {"number"},
    "max_runtime": {"number"},
}
CASES = [
    (field.name, kind)
    for field in attrs.fields(JobRequest)
    for kind in HOSTILE
    if kind not in GOOD.get(field.name, ()) and not (field.name == "start_after" and kind == "text")
]


@pytest.mark.parametrize("field", [field.name for field in attrs.fields(JobRequest)])
async def test_every_field_refuses_values_of_other_types(autojump_clock, world, field):
    """In one sentence that names the field; no value of this list is good for it."""
    async with world.open(limits=Limits(total=0)) as runtime:
        for kind in [kind for name, kind in CASES if name == field]:
            with pytest.raises(Refused) as refused:
                await runtime.submit(attrs.evolve(request(), **{field: HOSTILE[kind]}))
            assert refused.value.kind is RefusalKind.INVALID, kind
            assert field in str(refused.value), kind
            assert "\n" not in str(refused.value)
        assert await runtime.jobs.page() == []
        assert await world.events() == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"estimated_cost": "much"}, "estimated_cost: must be a finite number, not 'much'"),
        ({"estimated_cost": math.nan}, "estimated_cost: must be a finite number, not nan"),
        ({"estimated_cost": -1}, "estimated_cost: must be 0 or more, not -1"),
        ({"max_runtime": "5"}, "max_runtime: must be a finite number, not '5'"),
        ({"max_runtime": 0}, "max_runtime: must be more than 0, not 0"),
        ({"cwd": 5}, "cwd: must be a text, not 5"),
        ({"env": {"A": 1}}, "env.A: must be a text, not 1"),
        ({"command": ("true", 1)}, "command[1]: must be a text, not 1"),
        ({"command": "true"}, "command: must be a list of words, not 'true'"),
        ({"rerun": 3}, "rerun: must be of the class Rerun, not 3"),
        ({"rerun": Rerun(times=1, exit_codes=("1",))}, "rerun.exit_codes[0]: must be a whole number, not '1'"),
        ({"resources": {"cpus": 1}}, "resources: must be of the class Resources, not a mapping"),
        ({"resources": Resources(cpus=-1)}, "resources.cpus: must be 0 or more, not -1"),
        ({"priority_override": "high"}, "priority_override: must be a whole number, not 'high'"),
        ({"max_attempts": "x"}, "max_attempts: must be a whole number, not 'x'"),
        ({"max_attempts": None}, "max_attempts: must be a whole number, not nothing"),
        ({"start_after": 5}, "start_after: must be a text, not 5"),
        ({"params": {"lr": [0.1, math.inf]}}, "params.lr[1]: must be a finite number, not inf"),
        ({"user_levels": "lead"}, "user_levels: must be a list of texts, not 'lead'"),
        ({"config_name": ""}, "config_name: must not be empty"),
        ({"group": ""}, "group: must not be empty"),
        ({"best": {"loss": "least"}}, "best.loss: must be min or max, not 'least'"),
        ({"config_name": "a\nb"}, r"config_name: must not hold control characters, as 'a\nb' does"),
    ],
)
async def test_what_is_wrong_is_said(autojump_clock, world, fields, message):
    async with world.open(limits=Limits(total=0)) as runtime:
        for submitted in (runtime.submit, lambda one: runtime.jobs.submit_many([one])):
            with pytest.raises(Refused) as refused:
                await submitted(attrs.evolve(request(), **fields))
            assert str(refused.value) == message
        with pytest.raises(Refused, match="a job must be of the class JobRequest, not a mapping"):
            await runtime.submit(fields)
        assert await runtime.jobs.page() == []


async def test_a_structure_without_an_end_is_refused(autojump_clock, world):
    endless: dict[str, object] = {}
    endless["a"] = endless
    async with world.open(limits=Limits(total=0)) as runtime:
        with pytest.raises(Refused, match=r"^params: is nested deeper than 50 levels$"):
            await runtime.submit(attrs.evolve(request(), params=endless))


async def test_lists_and_other_mappings_are_as_good_as_tuples_and_dicts(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        job = await runtime.submit(attrs.evolve(request(), user_levels=["lead"], notify=[], env=MappingProxyType({})))
        lists = attrs.evolve(request(), env_from=["HOME"], inherited_env=None)
        await runtime.jobs.submit_many([lists, lists])
        assert (await runtime.jobs.get(job.job_id)).job.request.user_levels == ("lead",)
