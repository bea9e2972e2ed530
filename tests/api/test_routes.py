"""What the routes answer: documents, statuses, problems."""

from __future__ import annotations

from typing import Any

import pytest

from actors.providers.scripted import Fault, FaultKind
from actors.store import holds
from actors.store.errors import StoreUnavailable


async def test_a_job_is_accepted_and_shown_with_all_that_is_promised(edge: Any) -> None:
    """201, and the fields that clients rely on; the same document is found under its id and by its end."""
    made = await edge.submit(config_name="first", org_id="lab", spec={"duration": 3600})
    promised = {
        "job_id", "status", "queue_status", "correlation_id", "provider", "user_id", "org_id", "config_name",
        "priority", "attempt", "created_at", "started_at", "completed_at", "cost_usd", "error_message", "progress",
        "result", "exit_code", "cancel_requested_at", "uncertain", "reason", "setting", "position", "approval",
    }  # fmt: skip
    assert promised <= made.keys()
    assert (made["status"], made["user_id"], made["org_id"], made["created"]) == ("pending", "ana", "lab", True)
    for part in (made["job_id"], made["job_id"][-10:]):
        found = (await edge.http.get(f"/api/jobs/{part}")).json()
        assert found["job_id"] == made["job_id"]
    listed = (await edge.http.get("/api/jobs?user_id=ana")).json()
    assert [job["job_id"] for job in listed["jobs"]] == [made["job_id"]]
    assert (await edge.http.get("/api/jobs?user_id=bo")).json() == {"jobs": [], "next": None}


async def test_a_job_without_a_user_is_its_submitters(edge: Any) -> None:
    response = await edge.http.post("/api/jobs", json={"provider": "scripted"})
    assert response.json()["user_id"] == "ana"


async def test_of_a_list_all_are_accepted_or_none(edge: Any) -> None:
    """One bad job in a list: every fault is told with its place, and nothing is stored."""
    good = {"provider": "scripted", "user_id": "ana"}
    refused = await edge.http.post("/api/jobs", json=[good, {**good, "usr_id": 1}, {**good, "command": "rm x"}])
    assert refused.status_code == 422
    assert [fault["field"] for fault in refused.json()["errors"]] == ["[1].usr_id", "[2].command"]
    assert "did you mean user_id?" in refused.json()["detail"]
    assert (await edge.http.get("/api/jobs")).json()["jobs"] == []
    accepted = await edge.http.post("/api/jobs", json=[good, good])
    assert accepted.status_code == 201
    assert len(accepted.json()) == 2


async def test_the_same_key_gives_the_same_job_and_says_so(edge: Any) -> None:
    """B20 over HTTP: 201, then 200 with the same id; another content under the key is a conflict."""
    body = {"provider": "scripted", "user_id": "ana"}
    first = await edge.http.post("/api/jobs", json=body, headers={"Idempotency-Key": "k1"})
    again = await edge.http.post("/api/jobs", json=body, headers={"Idempotency-Key": "k1"})
    other = await edge.http.post("/api/jobs", json={**body, "config_name": "x"}, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json()["job_id"] == first.json()["job_id"]
    assert again.json()["created"] is False


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Idempotency-Key": "a"}, {"idempotency_key": "b"}),
        ({"Idempotency-Key": "a"}, [{}]),
        ({"Idempotency-Key": ""}, {}),
    ],
)
async def test_a_key_that_contradicts_the_body_is_refused(edge: Any, headers: Any, body: Any) -> None:
    body = [{"provider": "scripted"}] if isinstance(body, list) else {"provider": "scripted", **body}
    response = await edge.http.post("/api/jobs", json=body, headers=headers)
    assert response.status_code == 422
    assert "dempotency" in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("POST", "/api/jobs", b"{", 400, "not JSON"),
        ("POST", "/api/jobs", b"[]", 422, "there are no jobs"),
        ("POST", "/api/jobs", b"7", 422, "must be"),
        ("POST", "/api/jobs", b'{"provider": "scriptet"}', 422, "did you mean scripted?"),
        ("GET", "/api/jobs/nothing", b"", 404, "there is no job 'nothing'"),
        ("GET", "/api/jobs?status=runing", b"", 422, "did you mean running?"),
        ("GET", "/api/jobs?limit=-1", b"", 422, "limit: must be at least 1"),
        ("GET", "/api/jobs?usr=1", b"", 422, "unknown parameter 'usr'"),
        ("GET", "/api/nothing", b"", 404, "Not Found"),
        ("DELETE", "/api/jobs", b"", 405, "Method Not Allowed"),
        ("PUT", "/api/queue/limits/totl", b'{"value": 1}', 422, "did you mean total?"),
        ("PUT", "/api/queue/limits/total", b'{"value": true}', 422, "must be a whole number"),
        ("PUT", "/api/queue/limits/total", b'{"valu": 1}', 422, "did you mean value?"),
        ("POST", "/api/queue/pause", b'{"provider": "nope"}', 404, "there is no provider 'nope'"),
        ("POST", "/api/approvals/nope/approve", b"", 404, "there is no approval request 'nope'"),
        ("GET", "/api/events?after=x", b"", 422, "after"),
    ],
)
async def test_a_refusal_is_a_problem_with_reason_field_and_id(
    edge: Any, method: str, path: str, content: bytes, status: int, words: str
) -> None:
    """RFC 9457: type, title, status, detail; and the correlation ID that the header carries, too."""
    response = await edge.http.request(method, path, content=content, headers={"X-Correlation-ID": "asked-1"})
    body = response.json()
    assert response.status_code == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert words in body["detail"]
    assert body["correlation_id"] == response.headers["x-correlation-id"] == "asked-1"


async def test_a_method_that_a_path_does_not_have_gets_those_that_it_has(edge: Any) -> None:
    """RFC 9110, section 10.2.1: all of them, also where each has a route of its own."""
    response = await edge.http.delete("/api/jobs")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_a_job_has_the_correlation_id_of_its_request(edge: Any) -> None:
    body = {"provider": "scripted", "user_id": "ana"}
    response = await edge.http.post("/api/jobs", json=body, headers={"X-Correlation-ID": "trail-7"})
    assert response.json()["correlation_id"] == "trail-7"


async def test_what_could_not_be_stored_is_no_success(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_requests: Any, *_more: Any, **_others: Any) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(edge.runtime.jobs, "submit_many", full)
    response = await edge.http.post("/api/jobs", json={"provider": "scripted"})
    assert (response.status_code, response.json()["detail"]) == (503, "the disk is full")


async def test_a_fault_of_ours_is_answered_and_logged_under_its_id(
    edge: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 without inner details; the log has the traceback while the request's ID is bound."""
    seen = []

    async def broken(*_part: object, **_how: object) -> None:
        raise RuntimeError("inner detail")

    monkeypatch.setattr(edge.runtime.jobs, "named", broken)
    monkeypatch.setattr("actors.api.app._logger.error", lambda *_a, **_k: seen.append(_id()))
    response = await edge.http.get("/api/jobs/x", headers={"X-Correlation-ID": "asked-2"})
    assert response.status_code == 500
    assert "inner detail" not in response.text
    assert response.json()["correlation_id"] == "asked-2"
    assert seen == ["asked-2"]


def _id() -> str:
    from logconf import get_correlation_id

    return get_correlation_id()


async def test_cancelling_ends_a_waiting_job_at_once(edge: Any) -> None:
    await edge.http.put("/api/queue/limits/total", json={"value": 0})
    made = await edge.submit()
    response = await edge.http.post(f"/api/jobs/{made['job_id']}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    again = await edge.http.post(f"/api/jobs/{made['job_id']}/retry")
    assert (again.status_code, again.json()["retry_of"]) == (201, made["job_id"])


async def test_who_waits_is_told_why_and_what_changes_it(edge: Any) -> None:
    """C7: the queue names each entry's own reason, the setting, its place; the limit's source is told."""
    await edge.http.put("/api/queue/limits/per_user", json={"value": 0})
    made = await edge.submit()
    queue = (await edge.http.get("/api/queue")).json()
    (waiting,) = queue["waiting"]
    assert (waiting["job_id"], waiting["position"]) == (made["job_id"], 0)
    assert "per_user" in waiting["setting"]
    assert {"name": "per_user", "value": 0, "source": "stored"} in queue["limits"]
    reset = (await edge.http.delete("/api/queue/limits/per_user")).json()["limits"]
    assert {"name": "per_user", "value": 2, "source": "default"} in reset


async def test_a_priority_is_overridden_and_given_back(edge: Any) -> None:
    await edge.http.put("/api/queue/limits/total", json={"value": 0})
    made = await edge.submit()
    path = f"/api/queue/{made['job_id']}/priority"
    assert (await edge.http.put(path, json={"priority_override": 45})).json()["priority"] == 45
    assert (await edge.http.put(path, json={"priority_override": None})).json()["priority"] == made["priority"]
    assert (await edge.http.put(path, json={"priority_override": 99})).status_code == 422
    assert (await edge.http.put(path, json={})).status_code == 422


async def test_an_approval_is_granted_or_rejected_in_the_peers_name(edge: Any) -> None:
    """C3: `by` is who the connection says it is, not what a body claims."""
    first, second = await edge.submit(config_name="dear"), await edge.submit(config_name="dear")
    listed = (await edge.http.get("/api/approvals?status=pending")).json()["approvals"]
    assert {one["job_id"] for one in listed} == {first["job_id"], second["job_id"]}
    granted = await edge.http.post(f"/api/approvals/{first['approval']['approval_id']}/approve")
    assert (granted.json()["status"], granted.json()["decided_by"]) == ("approved", "ana")
    rejected = await edge.http.post(f"/api/approvals/{second['job_id']}/reject", json={"reason": "too dear"})
    assert (rejected.json()["status"], rejected.json()["decision_reason"]) == ("rejected", "too dear")
    again = await edge.http.post(f"/api/approvals/{first['approval']['approval_id']}/reject", json={})
    assert again.status_code == 409
    forged = await edge.http.post(f"/api/approvals/{first['approval']['approval_id']}/approve", json={"by": "root"})
    assert forged.status_code == 422


async def test_a_provider_is_paused_and_resumed(edge: Any) -> None:
    paused = (await edge.http.post("/api/queue/pause", json={"provider": "scripted", "reason": "moving"})).json()
    assert "moving" in paused["closed_providers"]["scripted"]
    resumed = (await edge.http.post("/api/queue/resume", json={"provider": "scripted"})).json()
    assert resumed["closed_providers"] == {}


async def test_settling_a_job_that_is_not_uncertain_is_a_conflict(edge: Any) -> None:
    made = await edge.submit(spec={"duration": 3600})
    path = f"/api/jobs/{made['job_id']}/settle"
    assert (await edge.http.post(path, json={"verdict": "failed"})).status_code == 409
    assert (await edge.http.post(path, json={"verdict": "gone"})).status_code == 422
    assert (await edge.http.post(path, json={"verdict": "ran", "handle": "text"})).status_code == 422


async def test_output_is_sent_as_it_was_written(edge: Any) -> None:
    made = await edge.submit(spec={"duration": 0, "progress": 3})
    await edge.runtime.wait(made["job_id"])
    written = [data async for data, _cursor in edge.runtime.logs(made["job_id"])]
    for query in ("", "?follow=true"):
        response = await edge.http.get(f"/api/jobs/{made['job_id']}/logs{query}")
        assert response.content == b"".join(written) != b""


async def test_output_that_cannot_be_had_is_a_problem_not_half_an_answer(edge: Any) -> None:
    made = await edge.submit(spec={"duration": 3600})
    async with edge.runtime.events(job_id=made["job_id"], after=0) as events:
        async for event in events:
            if event.type == "job_handed_over":
                break
    edge.remote.inject(Fault(FaultKind.DOWN, times=None))
    response = await edge.http.get(f"/api/jobs/{made['job_id']}/logs")
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")


@pytest.mark.parametrize("way", ["/logs?follow=true", "/logs/stream?"])
async def test_output_that_cannot_be_followed_any_further_says_so_at_its_end(edge: Any, way: str) -> None:
    """The answer has begun: a connection that breaks off would look as if the supervisor had gone away."""
    made = await edge.submit(spec={"duration": 0, "progress": 3})
    await edge.runtime.wait(made["job_id"])
    edge.remote.inject(Fault(FaultKind.DOWN, times=None))
    response = await edge.http.get(f"/api/jobs/{made['job_id']}{way}")
    assert response.status_code == 200
    assert "the output cannot be read any further: " in response.text
    if "stream" in way:
        assert response.text.split("\n\n")[-2].startswith("event: unreadable")


async def test_a_reader_whose_place_is_gone_is_told_and_goes_on(edge: Any) -> None:
    """The output became shorter: a line among the bytes, an event of its own in a stream; the cursor is the new end."""
    made = await edge.submit(spec={"duration": 0, "progress": 3})
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/logs"
    size = len((await edge.http.get(path)).content)
    for query in ("", "&follow=true", "&limit=1000"):
        response = await edge.http.get(f"{path}?cursor=100000{query}")
        assert f"[the output became shorter: it had at least 100000 bytes and has {size} now" in response.text
    assert response.headers["x-next-cursor"] == str(size)
    events = (await edge.http.get(f"{path}/stream?cursor=100000")).text.split("\n\n")
    assert events[1].startswith(f'id: {size}\nevent: notice\ndata: {{"type":"notice","text":"the output became shorter')
    assert events[2].startswith("event: end")


async def test_what_was_kept_long_enough_is_removed_on_demand(edge: Any) -> None:
    for body in ({"dry_run": True}, {}):
        assert (await edge.http.post("/api/prune", json=body)).json()["jobs"] == 0
    assert (await edge.http.post("/api/prune", json={"dry_run": 1})).status_code == 422


async def test_during_a_hold_nothing_is_removed_unless_somebody_says_yes(edge: Any) -> None:
    """Prune says how it ends; the queue and the health say that it is on (C6)."""
    await edge.runtime.ledger.store.write(
        lambda tx: holds.begin(tx.connection, "the wall clock went forward by 91 days", tx.now)
    )
    refused = await edge.http.post("/api/prune", json={})
    assert refused.status_code == 409
    assert "went forward by 91 days; ends after 24.0 h more of running" in refused.json()["detail"]
    assert "greenroom prune --yes" in (await edge.http.post("/api/prune", json={"dry_run": True})).json()["held"]
    assert "91 days" in (await edge.http.get("/api/queue")).json()["pruning_held"]
    assert "91 days" in (await edge.http.get("/health")).json()["notes"][0]
    assert (await edge.http.post("/api/prune", json={"yes": True})).json()["held"] is None
    assert (await edge.http.get("/api/queue")).json()["pruning_held"] is None
    assert (await edge.http.get("/health")).json()["notes"] == []


async def test_health_and_tree_show_the_actors(edge: Any) -> None:
    health = (await edge.http.get("/health")).json()
    assert (health["status"], health["reasons"]) == ("ok", [])
    tree = (await edge.http.get("/api/actors")).json()["children"]
    actors = next(node for node in tree if node["id"] == "actors")
    housekeeping = next(node for node in tree if node["id"] == "housekeeping")
    assert {node["id"]: node["state"] for node in [*actors["children"], *housekeeping["children"]]} == {
        "scheduler": "running", "poller": "running", "expiry": "running", "pruner": "running",
        "notifier": "running",
    }  # fmt: skip
