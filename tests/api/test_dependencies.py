"""Jobs that wait for others, over HTTP: only those that the caller may see, and all faults by their field."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from actors.jobs.options import Limits
from actors.runtime import RunningRuntime
from tests.api.servers import bearer


def job(**fields: Any) -> dict[str, Any]:
    return {"provider": "scripted", "spec": {"duration": 1}, **fields}


async def test_a_researcher_waits_for_own_jobs_alone_and_a_lead_for_all(
    web: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    await runtime.queue.set_limit("total", 0, by="op")
    ana, bo, lead = [await bearer(runtime, level, user) for level, user in
                     (("researcher", "ana"), ("researcher", "bo"), ("lead", "cem"))]  # fmt: skip
    mine = (await web.post("/api/jobs", json=job(config_name="train"), headers=ana)).json()
    for reference in ("train", mine["job_id"], mine["job_id"][-8:]):
        hidden = await web.post("/api/jobs", json=job(after=[reference]), headers=bo)
        unknown = await web.post("/api/jobs", json=job(after=["x" * len(reference)]), headers=bo)
        assert hidden.status_code == unknown.status_code == 422
        assert hidden.json()["detail"] == f"after: there is no job {reference!r}"
        assert hidden.json()["field"] == "after"
        for who in (ana, lead):
            waits = await web.post("/api/jobs", json=job(after=[reference]), headers=who)
            assert waits.status_code == 201, waits.text
            shown = (await web.get(f"/api/jobs/{waits.json()['job_id']}", headers=who)).json()
            assert [one["job_id"] for one in shown["waits_for"]["jobs"]] == [mine["job_id"]]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"after": [7]}, "after[0]", 'must be a job or {"group": NAME}'),
        ({"after": [{"group": "g", "user": "bo"}]}, "after[0]", 'must be a job or {"group": NAME}'),
        ({"after": [{"group": "g" * 201}]}, "after[0]", "must name a group, in at most 200 characters"),
        ({"after": [""]}, "after[0]", "must not be empty"),
        ({"after": ["x" * 201]}, "after", "item 0 must be at most 200 characters"),
        ({"after": ["x"] * 10_001}, "after", "must have at most 10000 items, not 10001"),
        ({"after_mode": "any"}, "after_mode", "must be one of ok, ended"),
        ({"start_after": "22:00"}, "start_after", "the command line and job files take times of day"),
        ({"start_after": 90}, "start_after", "must be a text, not 90"),
    ],
)
async def test_what_is_wrong_is_said_by_its_field(
    web: httpx.AsyncClient, runtime: RunningRuntime, fields: dict[str, Any], field: str, words: str
) -> None:
    who = await bearer(runtime, "researcher", "ana")
    answered = await web.post("/api/jobs", json=job(**fields), headers=who)
    assert answered.status_code == 422
    document = answered.json()
    (fault,) = document.get("errors") or [{"field": document["field"], "message": document["detail"]}]
    assert fault["field"] == field
    assert words in fault["message"]


async def test_a_past_start_is_noted_in_the_answer(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    who = await bearer(runtime, "researcher", "ana")
    answered = await web.post("/api/jobs", json=job(start_after="2020-01-01T00:00:00Z"), headers=who)
    assert answered.json()["warnings"] == ["start_after 2020-01-01T00:00:00Z is past: it may start at once"]
    assert answered.json()["start_after"] is None


async def test_a_retry_with_dependants_names_what_else_was_submitted(
    web: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    assert (await runtime.queue.limits())[0] == Limits()
    who = await bearer(runtime, "researcher", "ana")
    failing = job(config_name="train", spec={"duration": 1, "result": "failed"})
    batch = [failing, job(config_name="eval", after=["train"])]
    train, check = (await web.post("/api/jobs", json=batch, headers=who)).json()
    await runtime.wait(check["job_id"])
    route = f"/api/jobs/{train['job_id']}/retry"
    again = (await web.post(route, json={"with_dependants": True}, headers=who)).json()
    (other,) = again["also_submitted"]
    assert (await runtime.jobs.get(other)).job.retry_of == check["job_id"]
    assert (await web.post(route, json={"with_dependents": True}, headers=who)).status_code == 422
