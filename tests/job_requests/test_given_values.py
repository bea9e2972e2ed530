"""Requests in JSON, ``--set`` and ``--spec``."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from actors.job_requests.job_file import load_spec, parse_set
from actors.job_requests.job_request import request_from_mapping
from actors.jobs.records import JobRequest, Resources
from actors.validation import CheckedError


def test_a_request_in_json_has_the_records_names() -> None:
    data: dict[str, Any] = {
        "provider": "local", "command": ["a"], "cwd": "/x", "user_id": "ana", "user_levels": ["lead"],
        "resources": {"memory": 5}, "inherited_env": {"PATH": "/bin"}, "idempotency_key": "k", "spec": {"a": [1, None]},
    }  # fmt: skip
    assert request_from_mapping(data) == JobRequest(
        command=("a",), cwd="/x", user_id="ana", user_levels=("lead",), resources=Resources(memory=5),
        inherited_env={"PATH": "/bin"}, idempotency_key="k", spec={"a": [1, None]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ([], "jobs[0]: must be a mapping, not a list"),
        ({"cwd": "x"}, "jobs[0].cwd: must be an absolute path, not 'x'"),
        ({"name": "x"}, None),
        ({"user": "x"}, "jobs[0].user: unknown key; did you mean user_id?"),
        ({"max_attempts": "3"}, "jobs[0].max_attempts: must be a whole number, not '3'; take the quotes away"),
        ({"max_attempts": True}, "jobs[0].max_attempts: must be a whole number, not true"),
        ({"max_attempts": 1.0}, "jobs[0].max_attempts: must be a whole number, not 1.0"),
        ({"command": "a b"}, "jobs[0].command: must be a list of words, never a shell line"),
        ({"command": ["a\0"]}, "jobs[0].command[0]: must not hold a NUL character"),
        ({"user_id": "\ud800"}, "jobs[0].user_id: must not hold half of a surrogate pair"),
        ({"idempotency_key": "x" * 201}, "jobs[0].idempotency_key: must be at most 200 characters"),
        ({"idempotency_key": ""}, "jobs[0].idempotency_key: must not be empty"),
        ({"spec": {"a": float("nan")}}, "jobs[0].spec.a: must be a finite number, not nan"),
        ({"spec": {"a": 10**9999}}, "jobs[0].spec.a: is a number too large to keep"),
    ],
)
def test_a_wrong_request_is_refused_with_its_field(data: Any, fault: str | None) -> None:
    with pytest.raises(CheckedError) as caught:
        request_from_mapping(data, "jobs[0]")
    assert len(caught.value.faults) == 1
    if fault is None:
        assert "unknown key" in str(caught.value)
    else:
        assert str(caught.value) == fault


def test_set_builds_nested_plain_data() -> None:
    found = parse_set(["o.lr=1e-4", "o.name=adam", "epochs=3", "tag=a=b", "on='yes'", "x=", "d=2024-01-01"])
    assert found == {
        "o": {"lr": 0.0001, "name": "adam"}, "epochs": 3, "tag": "a=b", "on": "yes", "x": None, "d": "2024-01-01",
    }  # fmt: skip


def test_every_wrong_set_is_told() -> None:
    with pytest.raises(CheckedError) as caught:
        parse_set(["a=no", "b", "c=1", "c.d=2", "e=1", "e=2", "=1", "f..g=1", "h=010"])
    assert str(caught.value).splitlines() == [
        '--set a: no can be read in two ways; put it in quotes if it is a text: "no"',
        "--set: must be NAME=VALUE, such as optimizer.lr=0.1, not 'b'",
        "--set c.d: is set twice, or both as a value and as what holds values",
        "--set e: is set twice, or both as a value and as what holds values",
        "--set: must be NAME=VALUE, such as optimizer.lr=0.1, not '=1'",
        "--set: must be NAME=VALUE, such as optimizer.lr=0.1, not 'f..g=1'",
        '--set h: 010 can be read in two ways; put it in quotes if it is a text: "010"',
    ]


def test_a_spec_is_an_object_of_plain_data() -> None:
    assert load_spec(b"lr: 0.1\nnames: [a, 2024-01-01]\n", "spec.yaml") == {"lr": 0.1, "names": ["a", "2024-01-01"]}
    with pytest.raises(CheckedError, match=r"^spec\.yaml:1:1: a: no can be read in two ways"):
        load_spec(b"a: no\n", "spec.yaml")


def test_the_types_of_fields_are_known_whoever_read_a_request_first() -> None:
    """A converter puts the types themselves in the place of their names, for the whole process."""
    code = (
        "import attrs; from actors.jobs.records import JobRequest; attrs.resolve_types(JobRequest); "
        "from actors.job_requests.field_types import type_fault; print(type_fault(JobRequest(provider=3)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "provider" in done.stdout
