"""Routes about what waits: places, numbers, pausing of a provider and of all, limits; and which jobs are listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

from actors.providers.errors import Auth
from actors.providers.scripted import Fault, FaultKind, ScriptedProvider


async def until(edge: Any, job_id: str, type_: str) -> None:
    """Wait for an event of a job."""
    async with edge.runtime.events(job_id=job_id, after=0) as events:
        async for event in events:
            if event.type == type_:
                return


async def test_a_jobs_place_is_told_with_its_reason(edge: Any) -> None:
    await edge.http.put("/api/queue/limits/total", json={"value": 0})
    first, second = await edge.submit(), await edge.submit()
    places = [(await edge.http.get(f"/api/queue/{job['job_id']}")).json() for job in (first, second)]
    assert [(one["position"], one["queue_status"]) for one in places] == [(0, "pending"), (1, "pending")]
    assert "limit" in places[0]["reason"]
    assert "total" in places[0]["setting"]
    await edge.http.put(f"/api/queue/{second['job_id']}/priority", json={"priority_override": 50})
    assert (await edge.http.get(f"/api/queue/{second['job_id']}")).json()["position"] == 0


async def test_a_job_that_is_called_like_a_part_of_a_path_is_prioritised_too(edge: Any) -> None:
    await edge.http.put("/api/queue/limits/total", json={"value": 0})
    for name in ("limits", "stats", "activity"):
        made = await edge.submit(config_name=name)
        found = await edge.http.put(f"/api/queue/{name}/priority", json={"priority_override": 50})
        assert (found.status_code, found.json()["job_id"]) == (200, made["job_id"])


async def test_the_queue_in_numbers(edge: Any) -> None:
    empty = (await edge.http.get("/api/queue/stats")).json()
    assert (empty["running"], empty["oldest_wait_seconds"], empty["paused"]) == (0, None, None)
    await edge.http.post("/api/queue/pause", json={})
    await edge.submit()
    found = (await edge.http.get("/api/queue/stats")).json()
    assert (found["counts"]["pending"], found["paused"]) == (1, "the queue is paused: by ana")
    assert found["oldest_wait_seconds"] >= 0


async def test_while_all_is_paused_nothing_is_dispatched_and_who_waits_is_told(edge: Any) -> None:
    """Also after a resume of one provider; when the queue is resumed, the scheduler looks at once."""
    paused = (await edge.http.post("/api/queue/pause", json={"reason": "moving house"})).json()
    assert paused["paused"] == "the queue is paused: moving house"
    made = await edge.submit(spec={"duration": 0})
    await edge.http.post("/api/queue/resume", json={"provider": "scripted"})
    waiting = (await edge.http.get(f"/api/jobs/{made['job_id']}")).json()
    assert (waiting["status"], "moving house" in waiting["reason"]) == ("pending", True)
    assert waiting["setting"] == "greenroom queue resume --all"  # a provider's name would resume that provider alone
    assert (await edge.http.get("/api/providers")).json()["providers"][0]["gate"] == paused["paused"]
    assert (await edge.http.post("/api/queue/resume", json={})).json()["paused"] is None
    await edge.runtime.wait(made["job_id"])


async def test_a_provider_that_is_paused_by_itself_stays_so_when_the_queue_is_resumed(edge: Any) -> None:
    await edge.http.post("/api/queue/pause", json={"provider": "scripted", "reason": "by itself"})
    await edge.http.post("/api/queue/pause", json={})
    resumed = (await edge.http.post("/api/queue/resume", json={})).json()
    assert "by itself" in resumed["closed_providers"]["scripted"]


async def test_all_limits_are_given_back_at_once(edge: Any) -> None:
    for name in ("total", "per_user"):
        await edge.http.put(f"/api/queue/limits/{name}", json={"value": 1})
    limits = (await edge.http.delete("/api/queue/limits")).json()["limits"]
    assert {one["source"] for one in limits} == {"default"}
    assert (await edge.http.get("/api/queue/limits")).json()["limits"] == limits


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=cancelled", ["a"]),
        ("status=cancelled&status=pending", ["c", "b", "a"]),
        ("user_id=bo", ["b"]),
        ("org_id=lab", ["c"]),
        ("q=SECOND", ["b"]),
        ("q=b%25", []),
        ("q=bo", ["b"]),
        ("provider=scripted&q=first", ["a"]),
        ("provider=other", []),
        ("until=1999-01-01T00:00:00Z", []),
        ("since=1999-01-01T00:00:00%2B02:00", ["c", "b", "a"]),
    ],
)
async def test_jobs_are_listed_by_what_is_asked(edge: Any, query: str, found: list[str]) -> None:
    await edge.http.post("/api/queue/pause", json={})
    ids = {
        "a": (await edge.submit(config_name="first-run"))["job_id"],
        "b": (await edge.submit(config_name="second-run", user_id="bo", env={"TOKEN": "first"}))["job_id"],
        "c": (await edge.submit(org_id="lab"))["job_id"],
    }
    await edge.http.post(f"/api/jobs/{ids['a']}/cancel")
    listed = (await edge.http.get(f"/api/jobs?{query}")).json()["jobs"]
    assert [job["job_id"] for job in listed] == [ids[name] for name in found]


async def test_jobs_of_a_time_are_listed_to_the_moment(edge: Any) -> None:
    made = await edge.submit()
    created = datetime.fromisoformat(made["created_at"])
    for name, moment, found in (
        ("since", created, 1), ("since", created + timedelta(seconds=1), 0),
        ("until", created, 0), ("until", created + timedelta(seconds=1), 1),
    ):  # fmt: skip
        answered = await edge.http.get("/api/jobs", params={name: moment.astimezone(UTC).isoformat()})
        assert len(answered.json()["jobs"]) == found, (name, moment)


async def test_pages_follow_one_another_without_loss_or_doubles(edge: Any) -> None:
    await edge.http.post("/api/queue/pause", json={})
    made = [(await edge.submit())["job_id"] for _ in range(5)]
    seen: list[str] = []
    before: dict[str, str] = {}
    while True:
        page = (await edge.http.get("/api/jobs", params={"limit": 2, **before})).json()
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        before = {"cursor": page["next"]}
    assert seen == made[::-1]


async def test_output_comes_page_by_page(edge: Any) -> None:
    """Each page names the cursor of the next; an empty one says that there is nothing more."""
    made = await edge.submit(spec={"duration": 0, "progress": 5})
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/logs"
    whole = (await edge.http.get(path)).content
    pages, query = [], "?limit=10"
    while True:
        page = await edge.http.get(path + query)
        if not page.content:
            break
        pages.append(page.content)
        query = f"?limit=10&cursor={page.headers['x-next-cursor']}"
    assert b"".join(pages) == whole != b""


async def test_what_happened_to_a_job_comes_page_by_page(edge: Any) -> None:
    made = await edge.submit(spec={"duration": 0})
    await edge.submit()
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/events"
    all_ = (await edge.http.get(path)).json()
    assert all_["next"] is None
    assert {event["job_id"] for event in all_["events"]} == {made["job_id"]}
    first = (await edge.http.get(f"{path}?limit=2")).json()
    rest = (await edge.http.get(f"{path}?after={first['next']}")).json()
    assert first["events"] + rest["events"] == all_["events"]


async def test_settings_are_shown_with_their_sources(edge: Any) -> None:
    settings = {one["key"]: one for one in (await edge.http.get("/api/config")).json()["settings"]}
    assert settings["limits.total"] == {"key": "limits.total", "value": 5, "source": "default"}


async def test_providers_are_shown_with_their_breakers(edge: Any) -> None:
    (scripted,) = (await edge.http.get("/api/providers")).json()["providers"]
    assert (scripted["name"], scripted["gate"], scripted["breaker"]["state"]) == ("scripted", None, "closed")
    assert "streams_logs" in scripted["capabilities"]
    assert (scripted["checked"], scripted["fault"]) == (False, None)


async def test_providers_are_checked_where_that_is_asked(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_self: object) -> None:
        await trio.lowlevel.checkpoint()
        raise Auth("the token is not accepted")

    monkeypatch.setattr(ScriptedProvider, "check", refused)
    (scripted,) = (await edge.http.get("/api/providers?check=true")).json()["providers"]
    assert (scripted["checked"], scripted["fault"]) == (True, "the token is not accepted")


async def test_it_is_ready_while_every_actor_runs(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await edge.http.get("/health/ready")).text == "ready\n"
    assert (await edge.http.get("/health/live")).text == "live\n"
    tree = edge.runtime.tree.describe()
    actors = next(node for node in tree if node["id"] == "actors")
    actors["children"][0]["state"] = "restarting"
    for shown in (tree, []):
        monkeypatch.setattr(edge.runtime.tree, "describe", lambda shown=shown: shown)
        answered = await edge.http.get("/health/ready")
        assert (answered.status_code, answered.text) == (503, "not ready\n")


async def test_a_provider_that_is_down_leaves_the_runtime_ready(edge: Any) -> None:
    edge.remote.inject(Fault(FaultKind.DOWN, times=None))
    made = await edge.submit()
    async with edge.runtime.events(after=0) as events:
        async for event in events:
            if event.type == "job_requeued" and event.job_id == made["job_id"]:
                break
    assert (await edge.http.get("/health/ready")).status_code == 200
