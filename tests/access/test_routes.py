"""Every route by everybody who may come: generated from the application, so that none can be forgotten."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from starlette.routing import Mount, Route

from actors.access.permission import ADMIN, Permission
from actors.api.app import ROUTES, create_app
from actors.api.options import HttpOptions
from actors.api.route import GuardedRoute, permission_of
from actors.jobs.levels import LEVELS
from actors.runtime import RunningRuntime
from actors.testing.runtime import request
from logconf.asgi import App

HOST = "127.0.0.1:8765"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NOT_LET_IN = (401, 403, 421, 429)


def declared() -> dict[tuple[str, str], Permission]:
    """(method, declared path) of every route, and what it requires; a mount counts as GET."""
    found = {}
    for route in ROUTES:
        assert isinstance(route, Route | Mount), f"{route} is of a kind that this test does not know"
        methods = (route.methods or {"GET"}) - {"HEAD"} if isinstance(route, Route) else {"GET"}
        found |= {(method, route.path): permission_of(route) for method in sorted(methods)}
    return found


TABLE = declared()
DECLARED = list(TABLE)
IDS = [f"{method} {path}" for method, path in DECLARED]


@attrs.frozen
class Answer:
    """What came back, of a stream only the head."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(app: App, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    """One request straight to the application, as a server on TCP hands it over; a stream is left at its head."""
    heads = [(name.lower().encode(), value.encode("latin-1")) for name, value in {"Host": HOST, **headers}.items()]
    plain, _mark, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": plain, "raw_path": plain.encode(), "query_string": query.encode(), "root_path": "", "headers": heads,
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8765), "state": {}, "extensions": {},
    }  # fmt: skip
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
    got: dict[str, Any] = {}
    content = bytearray()

    async def receive() -> dict[str, Any]:
        if not messages:
            await trio.sleep_forever()
        return messages.pop()

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            got["status"] = message["status"]
            got["headers"] = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            if "event-stream" in got["headers"].get("content-type", ""):
                nursery.cancel_scope.cancel()
        else:
            content.extend(message.get("body", b""))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await app(scope, receive, send)
    return Answer(got["status"], got["headers"], bytes(content))


@attrs.frozen
class Stage:
    """An application, a token of each level (user ana), and what belongs to bo and to ana."""

    app: App
    runtime: RunningRuntime
    tokens: dict[str, str]
    bad: dict[str, str]
    bos: dict[str, str]
    anas: dict[str, str]

    async def ask(self, method: str, path: str, who: str | None = None, **headers: str) -> Answer:
        """One request by somebody of this level, with this bad token, or by nobody."""
        secret = None if who is None else {**self.tokens, **self.bad}[who]
        given = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return await ask(self.app, method, path, {**given, **headers})


@pytest.fixture
async def stage(runtime: RunningRuntime) -> Stage:
    access = runtime.access
    tokens = {level: (await access.create_token(user_id="ana", level=level))[1] for level in LEVELS}
    revoked, secret = await access.create_token(user_id="ana", level="admin")
    await access.revoke(revoked.token_id)
    bad = {
        "wrong": "gr_" + "x" * 43,
        "expired": (await access.create_token(user_id="ana", level="admin", expires_in=1e-6))[1],
        "revoked": secret,
    }
    owned = []
    for user in ("bo", "ana"):
        job = await runtime.submit(request(user_id=user, config_name="dear"))
        approval = (await runtime.approvals.get(job.job_id)).approval_id
        owned.append({"job_id": job.job_id, "approval_id": approval})
    return Stage(create_app(runtime, HttpOptions(requests_per_minute=100_000)), runtime, tokens, bad, *owned)


def filled(path: str, owned: dict[str, str]) -> str:
    """A declared path with values for its parameters."""
    values = {"{job_id}": owned["job_id"], "{approval_id}": owned["approval_id"], "{path:path}": "app.css"}
    for name, value in values.items():
        path = path.replace(name, value)
    path = "/".join("1" if part.startswith("{") else part for part in path.split("/"))
    return f"{path}?text=x" if path.endswith("/search") else path  # which it must have


def test_every_route_says_what_it_requires() -> None:
    """So that the table of who may what can be made from the routes, as it is here."""
    assert [route for route in ROUTES if not isinstance(route, GuardedRoute)] == []


async def test_a_route_that_does_not_say_is_an_admins(stage: Stage) -> None:
    """As is a path without a route."""
    assert permission_of(Route("/api/forgotten", lambda _request: None)) == ADMIN
    assert [(await stage.ask("GET", "/api/forgotten", level)).status for level in LEVELS] == [403, 403, 403, 404]


def test_what_changes_something_is_no_viewers() -> None:
    """Besides signing in and out, and signed deliveries."""
    open_to_all = {("POST", "/api/session"), ("DELETE", "/api/session"), ("POST", "/api/webhooks/{provider}")}
    lax = {route for route in DECLARED if route[0] in UNSAFE and TABLE[route].level in (None, "viewer")}
    assert lax == open_to_all


@pytest.mark.parametrize(("method", "path"), DECLARED, ids=IDS)
async def test_who_may(method: str, path: str, stage: Stage) -> None:
    """Nobody and bad tokens: 401, unless it is public; each level: 403 below what the table says, let in above it."""
    need, url = TABLE[method, path], filled(path, stage.anas)
    for who in (None, *stage.bad):
        answer = await stage.ask(method, url, who)
        if need.level is None:
            assert answer.status != 403, who
            assert answer.status != 421, who
        else:
            assert answer.status == 401, who
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
    for level in LEVELS if need.level is not None else ():
        answer = await stage.ask(method, url, level)
        if need.socket or LEVELS.index(level) < LEVELS.index(need.level or ""):
            assert answer.status == 403, level
        else:
            assert answer.status not in NOT_LET_IN, (level, answer)


@pytest.mark.parametrize(("method", "path"), DECLARED, ids=IDS)
async def test_under_a_foreign_name_nothing_answers(method: str, path: str, stage: Stage) -> None:
    """DNS rebinding: a page of evil.example reaches loopback under its own name; public routes are no exception."""
    answer = await stage.ask(method, filled(path, stage.anas), "admin", Host="evil.example:8765")
    assert answer.status == 421


@pytest.mark.parametrize(
    ("method", "path"), [route for route in DECLARED if route[0] in UNSAFE], ids=lambda value: value
)
async def test_pages_of_other_origins_change_nothing(method: str, path: str, stage: Stage) -> None:
    for origin in ("http://evil.example", "http://127.0.0.1:3000", "null", ""):
        answer = await stage.ask(method, filled(path, stage.anas), "admin", Origin=origin)
        assert answer.status == 403, origin


@pytest.mark.parametrize(
    ("method", "path"),
    [route for route in DECLARED if TABLE[route].own in ("job", "approval")],
    ids=lambda value: value,
)
async def test_what_is_somebody_elses_is_not_there(method: str, path: str, stage: Stage) -> None:
    """For viewer and researcher, and in the words that are used for what never was."""
    need = TABLE[method, path]
    level = need.level or "viewer"
    for owned in (stage.bos, {"job_id": "0" * 26, "approval_id": "0" * 26}):
        answer = await stage.ask(method, filled(path, owned), level)
        assert answer.status == 404
        named = owned["job_id" if need.own == "job" else "approval_id"]
        assert f"there is no {'job' if need.own == 'job' else 'approval request'} '{named}'".encode() in answer.body
    assert (await stage.ask(method, filled(path, stage.bos), "admin")).status not in (*NOT_LET_IN, 404)


@pytest.mark.parametrize("path", [path for method, path in DECLARED if method == "GET" and "{" not in path])
async def test_no_list_tells_a_viewer_of_somebody_elses_jobs(path: str, stage: Stage) -> None:
    """Every GET that names nothing: what a viewer may read says nothing of bo's job; a lead reads it where it is."""
    answer = await stage.ask("GET", path, "viewer")
    assert stage.bos["job_id"].encode() not in answer.body
    assert stage.bos["approval_id"].encode() not in answer.body
    if path in ("/api/jobs", "/api/queue", "/api/approvals"):
        assert stage.anas["job_id"].encode() in answer.body
        assert stage.bos["job_id"].encode() in (await stage.ask("GET", path, "lead")).body


async def test_there_is_no_websocket_here(stage: Stage) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    scope = {"type": "websocket", "path": "/api/events", "headers": [], "state": {}}
    await stage.app(scope, trio.sleep_forever, send)  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_an_unknown_path_says_nothing_to_the_unknown(stage: Stage) -> None:
    assert (await stage.ask("GET", "/api/nothing")).status == 401
    assert (await stage.ask("GET", "/api/nothing", "viewer")).status == 403
    assert (await stage.ask("GET", "/api/nothing", "admin")).status == 404
    assert (await stage.ask("OPTIONS", "/api/jobs", Origin="http://evil.example")).status == 401
