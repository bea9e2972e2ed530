"""A job is submitted again with changes: what is not named stays, values that are not shown too (RFC 7396)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from actors.job_requests.changes import merge_patch
from actors.jobs.records import JobRequest, Resources
from actors.runtime import RunningRuntime
from tests.api.servers import bearer
from tests.api.test_retry import ended

SECRET = "hf_" + "a" * 30
ANAS = JobRequest(
    provider="scripted", user_id="ana", config_name="first", group="tries", max_runtime=60.0,
    resources=Resources(cpus=2, gpus=1), priority_override=7,
    spec={"duration": 1.0, "metrics": {"api_key": "kept", "note": SECRET, "loss": 0.5}},
)  # fmt: skip


@pytest.fixture
async def job_id(runtime: RunningRuntime) -> str:
    return await ended(runtime, ANAS)


async def again(web: httpx.AsyncClient, runtime: RunningRuntime, job_id: str, changes: Any, level: str = "lead") -> Any:
    who = await bearer(runtime, level, "ana")
    return await web.post(f"/api/jobs/{job_id}/retry", json={"changes": changes}, headers=who)


async def test_what_is_named_changes_and_all_else_stays(
    runtime: RunningRuntime, web: httpx.AsyncClient, job_id: str
) -> None:
    changes = {
        "config_name": "second", "group": None, "priority_override": 9, "resources": {"cpus": 3}, "max_runtime": None,
        "spec": {"duration": None, "metrics": {"loss": 0.25}},
    }  # fmt: skip
    answered = await again(web, runtime, job_id, changes)
    assert (answered.status_code, answered.json()["retry_of"]) == (201, job_id)
    request = (await runtime.jobs.get(answered.json()["job_id"])).job.request
    assert (request.config_name, request.group, request.priority_override) == ("second", None, 9)
    assert (request.resources, request.max_runtime) == (Resources(cpus=3, gpus=1), None)
    assert request.spec == {"metrics": {"api_key": "kept", "note": SECRET, "loss": 0.25}}


async def test_secrets_of_the_options_are_not_shown(
    runtime: RunningRuntime, web: httpx.AsyncClient, job_id: str
) -> None:
    who = await bearer(runtime, "lead", "ana")
    shown = await web.get(f"/api/jobs/{job_id}", headers=who)
    assert shown.json()["spec"] == {"duration": 1.0, "metrics": {"api_key": "***", "note": "***", "loss": 0.5}}
    assert SECRET not in shown.text
    listed = (await web.get("/api/jobs", headers=who)).json()["jobs"]
    assert [one["spec"] for one in listed] == [None]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": "bo"}, "changes.user_id"), ({"command": ["id"]}, "changes.command"),
        ({"resources": {"cpus": "many"}}, "resources.cpus"), ({"spec": {"durration": 1}}, "spec.durration"),
        ({"spec": {"metrics": {"api_key": "***"}}}, "spec.metrics.api_key"), ({"spec": 3}, "spec"),
        ({"spec": {"faults": {"submit": ["***"]}}}, "spec.faults.submit.0"),
    ],
)  # fmt: skip
async def test_what_cannot_be_changed_so_is_refused_with_its_field(
    runtime: RunningRuntime, web: httpx.AsyncClient, job_id: str, changes: Any, field: str
) -> None:
    refused = await again(web, runtime, job_id, changes)
    assert (refused.status_code, refused.json().get("field")) == (422, field)
    assert len(await runtime.jobs.page()) == 1


async def test_changes_have_the_rights_of_a_submission(
    runtime: RunningRuntime, web: httpx.AsyncClient, job_id: str
) -> None:
    """What a retry would leave out silently is refused where it was asked for."""
    refused = await again(web, runtime, job_id, {"priority_override": 50}, "researcher")
    assert (refused.status_code, refused.json()["field"]) == (403, "priority_override")


async def test_the_same_key_makes_no_second_job(runtime: RunningRuntime, web: httpx.AsyncClient, job_id: str) -> None:
    first, second = [await again(web, runtime, job_id, {"idempotency_key": "k", "group": "x"}) for _ in range(2)]
    assert first.json()["job_id"] == second.json()["job_id"]
    assert (first.json()["created"], second.json()["created"]) == (True, False)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}), ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": "foo"}, "bar", "bar"),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}), ([1], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"c": None}}}, {"a": {"bb": {}}}),
    ],
)  # fmt: skip
def test_a_merge_patch_is_that_of_the_standard(target: Any, patch: Any, result: Any) -> None:
    """As the examples of RFC 7396, appendix A, say."""
    assert merge_patch(target, patch) == result
