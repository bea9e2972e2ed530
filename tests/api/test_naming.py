"""What a path names is found among what its caller may see; selections change what single routes could (E1, E7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from actors.api.app import ROUTES, create_app
from actors.api.naming import NEWEST
from actors.api.route import DeclaredRoute
from actors.jobs.records import Job, JobRequest
from actors.runtime import RunningRuntime
from tests.api.servers import bearer


@pytest.fixture
async def web(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """The application as on TCP."""
    await runtime.queue.pause(None, "jobs are to wait", by="ana")
    transport = httpx.ASGITransport(app=create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as http:
        yield http


async def submitted(runtime: RunningRuntime, name: str, user: str = "ana", **more: Any) -> Job:
    return await runtime.submit(JobRequest(provider="scripted", user_id=user, config_name=name, **more))


async def test_a_path_takes_a_name_and_says_when_it_took_the_newest(edge: Any) -> None:
    await edge.submit(config_name="train")
    newest = await edge.submit(config_name="train")
    only = await edge.submit(config_name="other")
    for below in ("", "/events", "/logs"):
        answered = await edge.http.get(f"/api/jobs/train{below}")
        assert (answered.status_code, answered.headers[NEWEST]) == (200, f"{newest['job_id']}; of=2")
        assert NEWEST not in (await edge.http.get(f"/api/jobs/other{below}")).headers
    assert (await edge.http.get("/api/queue/train")).json()["job_id"] == newest["job_id"]
    refused = await edge.http.post("/api/jobs/train/cancel")
    assert (refused.status_code, refused.json()["detail"][:24]) == (422, "2 jobs are named 'train'")
    assert (await edge.http.post("/api/jobs/other/cancel")).json()["job_id"] == only["job_id"]


@pytest.mark.parametrize(
    "name",
    ["models/a", "a/logs", "a/metrics", "a/b/events", "ü b", "limits", "cancel", "remove", "a%2Fb", "..", "a?b#c"],
)
async def test_a_name_may_hold_a_slash_or_be_a_word_of_the_routes(edge: Any, name: str) -> None:
    await edge.submit(config_name="a")
    job = await edge.submit(config_name=name)
    path = quote(name, safe="").replace(".", "%2E")
    assert (await edge.http.get(f"/api/jobs/{path}/events")).json()["events"][0]["job_id"] == job["job_id"]
    ended = await edge.http.post(f"/api/jobs/{path}/cancel")
    assert ended.json()["job_id"] == job["job_id"]
    assert (await edge.http.get(f"/api/jobs/{path}")).json()["job_id"] == job["job_id"]


def paths() -> list[tuple[str, str]]:
    """Every route with a job in its path."""
    found = [
        (route, next(iter((route.methods or set()) - {"HEAD"}))) for route in ROUTES if isinstance(route, DeclaredRoute)
    ]
    return [(method, route.path) for route, method in found if "{job_id}" in route.path]


@pytest.mark.parametrize(("method", "path"), paths())
async def test_what_belongs_to_another_is_as_if_it_did_not_exist(
    runtime: RunningRuntime, web: httpx.AsyncClient, method: str, path: str
) -> None:
    """By its id, by a part of it, by its name: no route of a job forgets it."""
    theirs = await submitted(runtime, "train", "their-owner")
    who = await bearer(runtime, "researcher", "ana")
    bodies = {"settle": {"verdict": "failed"}, "priority": {"priority_override": 1}}
    body = bodies.get(path.rsplit("/", 1)[-1])
    query = {"text": "x"} if path.endswith("/search") else None
    for text in (theirs.job_id, theirs.job_id[-10:], theirs.job_id[:20], "train"):
        answered = await web.request(method, path.format(job_id=text), headers=who, json=body, params=query)
        assert answered.status_code in (403, 404), answered.text
        assert theirs.job_id not in answered.text.replace(text, "")
        assert "their-owner" not in answered.text
    assert (await runtime.jobs.get(theirs.job_id)).job == theirs


async def test_of_two_of_a_name_a_lead_means_their_own(runtime: RunningRuntime, web: httpx.AsyncClient) -> None:
    mine = await submitted(runtime, "train", "ana")
    await submitted(runtime, "train", "bo")
    who = await bearer(runtime, "lead", "ana")
    assert (await web.post("/api/jobs/train/cancel", headers=who)).json()["job_id"] == mine.job_id


async def test_a_stream_and_a_page_take_names(edge: Any) -> None:
    first = await edge.submit(config_name="first")
    second = await edge.submit(config_name="second")
    found = (await edge.http.get("/api/jobs", params={"before": "second"})).json()["jobs"]
    assert [one["job_id"] for one in found] == [first["job_id"]]
    unknown = await edge.http.get("/api/jobs", params={"before": "secnd"})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "before")
    assert "did you mean second?" in unknown.json()["detail"]
    missing = await edge.http.get("/api/events", params={"job_id": "thrid"})
    assert missing.status_code == 404
    assert second["job_id"]


async def test_jobs_are_listed_by_name_group_and_the_rest_before_any_limit(edge: Any) -> None:
    ids = {}
    for index in range(6):
        group = "sweep" if index % 2 else None
        job = await edge.submit(config_name=f"train-{index}", group=group, org_id="lab", spec={"duration": 3600})
        ids[index] = job["job_id"]
    await edge.submit(config_name="other", group="sweep", user_id="bo")
    await edge.submit()

    async def listed(**asked: Any) -> list[str]:
        pages, cursor = [], None
        while True:
            page = (
                await edge.http.get("/api/jobs", params={**asked, "limit": 2, **({"cursor": cursor} if cursor else {})})
            ).json()
            pages += [one["config_name"] for one in page["jobs"]]
            if (cursor := page["next"]) is None:
                return pages

    everything = [f"train-{index}" for index in range(5, -1, -1)]
    assert await listed(name="train-*") == everything
    assert await listed(name="*ain-[0-2]") == everything[-3:]
    assert await listed(name="train-3") == ["train-3"]
    assert await listed(name="Train*") == []
    assert await listed(group="sweep") == ["other", "train-5", "train-3", "train-1"]
    assert await listed(group="sweep", user_id="ana") == ["train-5", "train-3", "train-1"]
    assert await listed(group="sweep", name="*-[13]", org_id="lab") == ["train-3", "train-1"]
    assert await listed(name="train-*", status="pending", provider="scripted", q="rain-4") == ["train-4"]
    assert await listed(name="train-*", status="completed") == []
    assert await listed(name="*", user_id="bo") == ["other"]
    bad = await edge.http.get("/api/jobs", params={"name": "a[b"})
    assert (bad.status_code, bad.json()["field"]) == (422, "name")
