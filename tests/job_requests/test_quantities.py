"""Durations and sizes of a request are read by the one reader, from HTTP and job files, and OpenAPI says so (E5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import pytest

from actors.api.bodies import PruneRequest, TokenRequest
from actors.api.schemas import Schemas
from actors.job_requests.job_file import load_job_file
from actors.job_requests.job_request import request_from_mapping
from actors.jobs.quantities import PATTERN, Duration, Size
from actors.jobs.records import JobRequest, Rerun, Resources
from actors.validation import CheckedError

COUNTS = {"cpus", "gpus", "estimated_cost", "priority_override", "max_attempts", "times", "exit_codes"}
"""Numbers of a request that are neither: a new one stands here, or has a type of jobs.quantities."""


def marks(hint: Any) -> list[Any]:
    own = [one for one in get_args(hint) if isinstance(one, Duration | Size)]
    return own + [mark for arg in get_args(hint) for mark in marks(arg)]


@pytest.mark.parametrize("kind", [JobRequest, Resources, Rerun, TokenRequest, PruneRequest])
def test_every_number_of_a_request_is_a_duration_a_size_or_a_listed_count(kind: type[Any]) -> None:
    hints = get_type_hints(kind, include_extras=True)
    numbers = [
        one.name for one in attrs.fields(kind)
        if {int, float} & {hints[one.name], *get_args(hints[one.name])} and not marks(hints[one.name])
    ]  # fmt: skip
    assert set(numbers) <= COUNTS


def test_a_request_has_them_as_people_write_them() -> None:
    asked = request_from_mapping(
        {"max_runtime": "1d12h", "resources": {"memory": "8GB"}, "rerun": {"times": 1, "delay": "2m"}, "user_id": "ana"}
    )
    assert (asked.max_runtime, asked.resources.memory, asked.rerun.delay) == (129_600.0, 8 * 10**9, 120.0)
    assert request_from_mapping({"max_runtime": 90}) == request_from_mapping({"max_runtime": "90s"})
    for wrong, words in (
        ("1h90", "90 has no unit; write 1h90m"),
        (0, "must be more than 0"),
        (True, "must be a number"),
    ):
        with pytest.raises(CheckedError, match=words):
            request_from_mapping({"max_runtime": wrong})
    with pytest.raises(CheckedError, match=r"resources.memory: must be .*write 8GiB .* or 8GB"):
        request_from_mapping({"resources": {"memory": "8G"}})


def test_so_has_a_job_file(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("jobs:\n  - {command: [a], max_runtime: 1.5h, resources: {memory: 8GiB}}\n")
    (asked,) = load_job_file(file, environ={}).requests
    assert (asked.max_runtime, asked.resources.memory) == (5400.0, 2**33)
    file.write_text("jobs:\n  - {command: [a], max_runtime: 15min}\n")
    with pytest.raises(CheckedError, match=r"jobs.yaml:2:20: jobs\[0\].max_runtime: .* 'min' is not a unit"):
        load_job_file(file, environ={})


def test_openapi_says_how_they_are_written() -> None:
    schemas = Schemas()
    schemas.of(JobRequest)
    duration = schemas.components["JobRequest"]["properties"]["max_runtime"]["anyOf"][0]
    assert (duration["type"], duration["pattern"]) == (["number", "string"], PATTERN)
    assert "1d12h" in duration["description"]
    size = schemas.components["Resources"]["properties"]["memory"]["anyOf"][0]
    assert (size["type"], "24GiB" in size["description"]) == (["integer", "string"], True)
