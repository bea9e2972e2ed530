"""A matrix over HTTP: a list of jobs, checked by the same rules as single ones (E2, D1, D2)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from actors.jobs import maxima
from actors.runtime import RunningRuntime
from tests.api.servers import bearer

SWEEP = {"provider": "scripted", "config_name": "t-{lr}", "spec": {"error": "{lr}"}}


async def test_a_job_with_a_matrix_is_answered_as_a_list(edge: Any) -> None:
    for body in ({**SWEEP, "matrix": {"lr": [0.1, "0.20"]}}, [{**SWEEP, "matrix": {"lr": ["0.1", "0.20"]}}]):
        answered = await edge.http.post("/api/jobs", json=body)
        assert answered.status_code == 201, answered.text
        assert [(job["config_name"], job["parameters"]) for job in answered.json()] == [
            ("t-0.1", {"lr": "0.1"}), ("t-0.20", {"lr": "0.20"}),
        ]  # fmt: skip
    assert (await edge.http.get(f"/api/jobs/{answered.json()[1]['job_id']}")).json()["parameters"] == {"lr": "0.20"}


async def test_jobs_of_a_file_are_there_already_when_they_come_again(edge: Any) -> None:
    body = [{**SWEEP, "matrix": {"lr": ["1", "2"]}, "idempotency_keys": ["k", "l"]}]
    params = {"job_file": "d" * 64}
    assert (await edge.http.post("/api/jobs", json=body, params=params)).status_code == 201
    again = await edge.http.post("/api/jobs", json=body, params=params)
    assert (again.status_code, [job["created"] for job in again.json()]) == (200, [False, False])
    anew = await edge.http.post("/api/jobs", json=body, params={**params, "again": "all"})
    assert [job["created"] for job in anew.json()] == [True, True]


@pytest.mark.parametrize(
    ("body", "params", "field", "detail"),
    [
        ({"matrix": {"lr": 3}}, {}, "matrix.lr", "matrix.lr: must be a list of values, or a range such as"),
        ({"matrix": {"l": [3]}}, {}, "config_name", "config_name: has {lr}, and the matrix has no lr; did you mean l?"),
        (
            {"matrix": {"lr": [1]}, "idempotency_keys": ["a", "b"]},
            {},
            "idempotency_keys",
            "idempotency_keys: has 2 keys",
        ),
        ({"matrix": {"lr": [1]}, "command": ["sh"]}, {}, "command", "command: is for the supervisor's own user"),
        ({"matrix": {"lr": [1]}, "parameters": {"a": "b"}}, {}, "parameters", "parameters: unknown field"),
        (
            {"matrix": {"lr": [1]}, "user_id": "bo"},
            {},
            "user_id",
            "user_id: any other value than your own needs level admin",
        ),
        ({}, {"again": "some"}, "again", "again: must be one of none, failed, all, not 'some'"),
        ({}, {"job_file": "d" * 65}, "job_file", "job_file: must be at most 64 characters"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    body: dict[str, Any], params: dict[str, str], field: str, detail: str, web: httpx.AsyncClient,
    runtime: RunningRuntime,
) -> None:  # fmt: skip
    who = await bearer(runtime, "researcher")
    answered = await web.post("/api/jobs", json={**SWEEP, **body}, params=params, headers=who)
    assert answered.status_code in (403, 422)
    assert (answered.json()["field"], answered.json()["detail"][: len(detail)]) == (field, detail)
    assert await runtime.jobs.page() == []


async def test_a_header_with_a_key_is_for_one_job(edge: Any) -> None:
    body = {**SWEEP, "matrix": {"lr": [1]}}
    answered = await edge.http.post("/api/jobs", json=body, headers={"Idempotency-Key": "k"})
    assert (answered.status_code, "is for one job" in answered.json()["detail"]) == (422, True)


async def test_a_few_bytes_do_not_become_millions_of_jobs(edge: Any) -> None:
    huge = {f"p{n}": list(range(100)) for n in range(50)}
    answered = await edge.http.post("/api/jobs", json=[{"provider": "scripted", "matrix": huge}] * 100)
    assert (answered.status_code, "one matrix makes at most 10000" in answered.text) == (422, True)
    most = {"n": {"from": 1, "to": maxima.BATCH_JOBS}}
    answered = await edge.http.post("/api/jobs", json=[{"provider": "scripted", "matrix": most}] * 2)
    assert (answered.status_code, "at most 10000 jobs in one request" in answered.text) == (422, True)
    assert len(json.dumps(huge)) < maxima.BODY
