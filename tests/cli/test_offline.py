"""The application over the rows alone, where no supervisor runs (C4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import httpx
import pytest
from starlette.routing import Route

from actors.access.peer import Peer
from actors.api.app import ROUTES, create_app
from actors.api.guard import asked_by
from actors.cli.offline import open_reading
from actors.control.runtime import NOT_RUNNING, Reading
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import ApprovalRule, JobRequest
from actors.jobs.refusal import RefusalKind, Refused
from actors.runtime import open_runtime
from actors.settings import Settings

EVERY = [(method, route.path) for route in ROUTES if isinstance(route, Route) for method in sorted(route.methods or ())]
READABLE = {
    "/api/jobs", "/api/jobs/{job_id}", "/api/jobs/{job_id}/logs", "/api/jobs/{job_id}/events",
    "/api/jobs/{job_id}/metrics", "/api/queue", "/api/queue/activity", "/api/queue/stats",
    "/api/queue/limits", "/api/queue/{job_id}",
    "/api/approvals", "/api/approvals/{approval_id}", "/api/entry-points",
    "/api/approvals/rules", "/api/approvals/rules/{rule_id:int}", "/api/approvals/rules/dry-run", "/api/events/types",
    "/api/notifications", "/api/notifications/targets", "/api/config", "/api/session", "/api/openapi.json",
    "/api/reference", "/health/live", "/", "/static/{path:path}",
}  # fmt: skip
BODIES = {
    "/api/jobs": {"provider": "local", "user_id": "ana", "command": ["true"]},
    "/api/queue/limits/{name}": {"value": 1},
    "/api/queue/{job_id}/priority": {"priority_override": 1},
    "/api/jobs/settle": {"jobs": ["x"], "verdict": "failed"},
    "/api/jobs/prioritise": {"jobs": ["x"], "priority_override": 1},
    "/api/jobs/{job_id}/settle": {"verdict": "failed"},
    "/api/tokens": {"user_id": "ana", "level": "viewer"},
    "/api/approvals/bulk": {"approval_ids": ["x"], "decision": "approve"},
    "/api/session": {"code": "x"},
    "/api/approvals/rules": {"name": "Dear", "condition": "cost_exceeds", "value": 1.0},
    "/api/approvals/rules/{rule_id:int}": {"name": "Dear", "condition": "cost_exceeds", "value": 1.0},
    "/api/approvals/rules/dry-run": {"rule": {"name": "Dear", "condition": "cost_exceeds", "value": 1.0}},
}


@pytest.fixture
async def job_id(settings: Settings) -> str:
    """A job that waits for an approval, in a state directory of which no supervisor runs."""
    async with open_runtime(settings) as runtime:
        request = JobRequest(provider="local", command=("true",), user_id="ana", requires_approval="to see")
        return (await runtime.submit(request)).job_id


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings.default(state_dir=tmp_path / "state")
    return attrs.evolve(found, approvals=ApprovalOptions(default_rules=True))


@pytest.fixture
async def reading(settings: Settings, job_id: str) -> AsyncIterator[Reading]:
    async with open_reading(settings) as found:
        yield found


async def test_every_route_answers_or_says_that_a_supervisor_is_needed(reading: Reading, job_id: str) -> None:
    """No route fails: what rows tell is told, everything else is refused in one sentence that says what to start."""
    transport = httpx.ASGITransport(app=asked_by(create_app(reading), Peer(1000, "ana")), raise_app_exceptions=False)
    statuses = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
        for method, declared in EVERY:
            path = declared.replace("{job_id}", job_id).replace("{approval_id}", job_id)
            for name in ("token_id", "session_id", "provider", "name", "rule_id:int", "message_id:int"):
                path = path.replace(f"{{{name}}}", "1")
            path = path.replace("{path:path}", "js/app.js")
            body = BODIES.get(declared, {}) if method in ("POST", "PUT") else None
            params = {"user_id": "ana"} if (method, declared) == ("DELETE", "/api/sessions") else None
            answer = await http.request(method, path, json=body, params=params)
            statuses[method, declared] = answer.status_code
            if answer.status_code == 503 and method != "HEAD" and "webhooks" not in path:
                assert answer.json()["detail"] == NOT_RUNNING, (method, declared)
    assert {path for (_method, path), status in statuses.items() if status == 200} == READABLE
    assert {each: status for each, status in statuses.items() if status not in (200, 503)} == {
        ("DELETE", "/api/session"): 204,  # who came without a cookie has no session to end
        ("GET", "/api/compare"): 422,  # which group?
        ("HEAD", "/api/compare"): 422,
        ("GET", "/api/jobs/{job_id}/logs/search"): 422,  # for what?
        ("HEAD", "/api/jobs/{job_id}/logs/search"): 422,
    }


async def test_what_would_change_a_row_is_refused_to_programs_too(reading: Reading, job_id: str) -> None:
    """The rows' own store refuses, whichever operation is asked, and nothing is changed."""
    before = await reading.jobs.get(job_id)
    rule = ApprovalRule("Dear", "cost_exceeds", 1.0, rule_id=9)
    for change in (
        lambda: reading.jobs.cancel(job_id),
        lambda: reading.jobs.prioritise(job_id, 3),
        lambda: reading.approvals.approve(job_id, by="bo"),
        lambda: reading.queue.pause(None, "to see"),
        lambda: reading.rules.add(rule),
    ):
        with pytest.raises(Refused, match="start one: greenroom run") as refused:
            await change()
        assert refused.value.kind is RefusalKind.UNAVAILABLE
    assert await reading.jobs.get(job_id) == before
