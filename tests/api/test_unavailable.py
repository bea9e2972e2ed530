"""Every 503 says when to come again: generated from the application's routes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.api.webhooks import create_webhook_app
from actors.jobs.refusal import RefusalKind, Refused
from actors.runtime import RunningRuntime
from actors.store import StoreBusy, StoreUnavailable
from tests.access.test_routes import DECLARED
from tests.api.servers import ORIGIN

ERRORS = [
    StoreUnavailable("the disk is full"),
    StoreBusy("it is held by another process"),
    Refused("not now", RefusalKind.UNAVAILABLE),
]
BODIES: dict[str, Any] = {
    "/api/jobs": {"provider": "scripted", "user_id": "ana"},
    "/api/queue/limits/{name}": {"value": 1},
    "/api/queue/{job_id}/priority": {"priority_override": 1},
    "/api/jobs/{job_id}/settle": {"verdict": "failed"},
    "/api/tokens": {"user_id": "ana", "level": "viewer"},
    "/api/approvals/bulk": {"approval_ids": ["x"], "decision": "approve"},
}


class Failing:
    """A runtime of which whatever is asked raises ``error``."""

    def __init__(self, runtime: RunningRuntime, error: Exception) -> None:
        self._error = error
        self.client_faults = runtime.client_faults

    def __getattr__(self, _name: str) -> Any:
        return self

    def __call__(self, *_args: Any, **_more: Any) -> Any:
        raise self._error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_every_503_of_every_route_says_when_to_come_again(runtime: RunningRuntime, error: Exception) -> None:
    seen = set()
    app = asked_by(create_app(Failing(runtime, error)), Peer(1000, "ana"))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
        for method, declared in DECLARED:
            path = declared.replace(":int}", "}").replace(":path}", "}")
            for name in ("job_id", "approval_id", "token_id", "session_id", "provider", "name", "path"):
                path = path.replace(f"{{{name}}}", "x")
            for name in ("rule_id", "message_id"):
                path = path.replace(f"{{{name}}}", "1")
            params = {"user_id": "ana"} if (method, declared) == ("DELETE", "/api/sessions") else None
            body = BODIES.get(declared, {}) if method in ("POST", "PUT") else None
            answer = await http.request(method, path, json=body, params=params)
            if answer.status_code == 503:
                seen.add((method, declared))
                assert int(answer.headers["retry-after"]) >= 1, (method, declared)
    assert len(seen) > 20


async def test_readiness_says_when_to_ask_again(runtime: RunningRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.tree, "describe", list)
    transport = httpx.ASGITransport(app=create_app(runtime))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        answer = await http.get("/health/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_deliveries_in_a_host_say_when_to_come_again(runtime: RunningRuntime) -> None:
    failing: Any = Failing(runtime, StoreUnavailable("the disk is full"))
    transport = httpx.ASGITransport(app=create_webhook_app(failing))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://hooks") as http:
        answer = await http.post("/api/webhooks/scripted", content=b"{}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
