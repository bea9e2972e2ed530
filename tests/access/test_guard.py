"""What may be asked over the network, under which names and from which origins, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
import trio
from starlette.exceptions import HTTPException
from trio.testing import MockClock

from actors.access.hosts import AllowedHosts, same_origin
from actors.access.peer import Peer
from actors.api import guard
from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.rate_limits import RateLimiter, StreamLimit
from actors.job_requests.rights import authorized
from actors.jobs.records import JobRequest
from actors.jobs.refusal import RefusalKind, Refused
from actors.runtime import RunningRuntime
from actors.testing.runtime import request
from tests.api.servers import ORIGIN, bearer

# What may be asked.

ANA = Peer(None, "ana", "researcher", "lab", "token")


@pytest.mark.parametrize("level", ["viewer", "researcher", "lead", "admin"])
@pytest.mark.parametrize(
    "asked", [{"command": ("sh",)}, {"cwd": "/"}, {"env": {"LD_PRELOAD": "x"}}, {"env_from": ("GREENROOM_*",)}]
)
def test_no_level_runs_a_command_over_the_network(level: str, asked: dict[str, Any]) -> None:
    """B21; nor what would come to the same."""
    with pytest.raises(Refused) as refused:
        authorized(JobRequest(**asked), attrs.evolve(ANA, level=level).submitter)
    assert (refused.value.kind, refused.value.field) == (RefusalKind.FORBIDDEN, next(iter(asked)))


def test_for_whom_a_job_is_comes_from_the_token() -> None:
    asked = authorized(JobRequest(user_levels=(" Researcher",)), ANA.submitter)
    assert (asked.user_id, asked.org_id) == ("ana", "lab")
    assert authorized(JobRequest(), ANA.submitter).user_levels == ("researcher",)
    for other in ({"user_id": "bo"}, {"org_id": "other"}, {"user_levels": ("admin",)}):
        with pytest.raises(Refused, match="needs level admin"):
            authorized(JobRequest(**other), ANA.submitter)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="needs level lead"):
        authorized(JobRequest(priority_override=0), ANA.submitter)


def test_an_admin_may_name_others() -> None:
    admin = attrs.evolve(ANA, level="admin")
    asked = authorized(JobRequest(user_id="bo", org_id="other", user_levels=("viewer",)), admin.submitter)
    assert (asked.user_id, asked.org_id, asked.user_levels) == ("bo", "other", ("viewer",))


def test_on_the_socket_everything_goes() -> None:
    command = JobRequest(command=("sh",), env={"A": "b"}, user_id="bo", org_id="x", user_levels=("admin",))
    assert authorized(command, Peer(1000, "ana").submitter) == command
    assert authorized(JobRequest(), Peer(1000, "ana").submitter).user_id == "ana"


async def test_a_submission_is_the_tokens(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    who = await bearer(runtime, "researcher", org_id="lab")
    made = (await web.post("/api/jobs", json={"provider": "scripted"}, headers=who)).json()
    assert (made["user_id"], made["org_id"]) == ("ana", "lab")
    refused = await web.post("/api/jobs", json={"provider": "scripted", "command": ["sh"]}, headers=who)
    assert (refused.status_code, refused.json()["field"]) == (403, "command")
    viewer = await bearer(runtime, "viewer")
    assert (await web.post("/api/jobs", json={"provider": "scripted"}, headers=viewer)).status_code == 403


async def test_who_approves_does_so_at_the_level_of_the_token(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """A lead up to lead; what asks for an admin waits for one."""
    rule = (await runtime.rules.all())[-1].rule
    await runtime.rules.replace(attrs.evolve(rule, required_approver_level="admin"))
    job = await runtime.submit(request(config_name="dear"))
    url = f"/api/approvals/{job.job_id}/approve"
    assert (await web.post(url, headers=await bearer(runtime, "lead"))).status_code == 403
    answer = await web.post(url, headers=await bearer(runtime, "admin", "cy"))
    assert (answer.status_code, answer.json()["decided_by"]) == (200, "cy")


# Names and origins.


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:8765", "lab.example", "lab.example.:1"]
)
def test_our_names(host: str) -> None:
    assert AllowedHosts(["Lab.example"]).allows(host)


@pytest.mark.parametrize(
    "host",
    [
        None, "", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost:8765@evil", "[::1", "a b",
        "localhost:999999", "lab.example/",
    ],
)  # fmt: skip
def test_foreign_names(host: str | None) -> None:
    assert not AllowedHosts(["lab.example"]).allows(host)


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("http://localhost:8765", "localhost:8765", True), ("https://lab.example", "lab.example", True),
        ("https://lab.example", "lab.example:443", True), ("http://localhost:3000", "localhost:8765", False),
        ("http://localhost", "localhost:8765", False), ("null", "localhost", False), ("", "localhost", False),
        ("file://", "localhost", False), ("http://evil.example", "localhost", False),
        ("http://localhost:8765/x", "localhost:8765", False), ("http://[::1]:1", "[::1]:1", True),
    ],
)  # fmt: skip
def test_origins(origin: str, host: str, ours: bool) -> None:
    assert same_origin(origin, host) is ours


async def test_deliveries_have_names_of_their_own(runtime: RunningRuntime) -> None:
    options = HttpOptions(webhook_hosts=("hooks.example",))
    transport = httpx.ASGITransport(app=create_app(runtime, options))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://hooks.example") as http:
        assert (await http.post("/api/webhooks/nobody", content=b"{}")).status_code == 404
        assert (await http.get("/api/session")).status_code == 421


async def test_every_answer_tells_the_browser_what_it_may_do(web: httpx.AsyncClient) -> None:
    for path in ("/", "/api/jobs", "/static/nothing.js"):
        headers = (await web.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        directives = headers["content-security-policy"]
        assert "default-src 'none'" in directives
        assert "unsafe" not in directives
        assert "access-control-allow-origin" not in headers


async def test_a_page_may_connect_to_the_feed(runtime: RunningRuntime) -> None:
    transport = httpx.ASGITransport(app=create_app(runtime, feed_port=8766))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8765") as http:
        assert "connect-src 'self' ws://localhost:8766" in (await http.get("/")).headers["content-security-policy"]


# Bounds.


async def test_a_rate_fills_again_as_time_passes(autojump_clock: MockClock) -> None:
    rates = RateLimiter(per_minute=60)
    assert [rates.take("ana") for _ in range(60)] == [0.0] * 60
    assert rates.take("ana") == pytest.approx(1.0)
    assert rates.take("bo") == 0.0
    await trio.sleep(1)
    assert rates.take("ana") == 0.0
    assert rates.take("ana") > 0


async def test_a_rate_forgets_who_has_long_been_silent(autojump_clock: MockClock) -> None:
    rates = RateLimiter(per_minute=60)
    for index in range(5000):
        rates.take(f"address:{index}")
    await trio.sleep(60)
    rates.take("ana")
    assert len(rates._levels) <= 4097


def test_streams_are_bounded_for_each_and_in_all() -> None:
    streams = StreamLimit(in_all=3, of_one=2)
    with streams.one_more("ana"), streams.one_more("ana"):
        with pytest.raises(HTTPException, match="yours"), streams.one_more("ana"):
            pass
        with (
            streams.one_more("bo"),
            pytest.raises(HTTPException, match="streams are open already"),
            streams.one_more("cy"),
        ):
            pass
    with streams.one_more("ana"):
        pass


async def test_too_many_requests_of_one_token_are_told_when_to_come_back(runtime: RunningRuntime) -> None:
    transport = httpx.ASGITransport(app=create_app(runtime, HttpOptions(requests_per_minute=2)))  # type: ignore[arg-type]
    ana, bo = await bearer(runtime, "viewer"), await bearer(runtime, "viewer", "bo")
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        assert [(await http.get("/api/session", headers=ana)).status_code for _ in range(2)] == [200, 200]
        refused = await http.get("/api/session", headers=ana)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 31
        assert (await http.get("/api/session", headers=bo)).status_code == 200
        unknown = [(await http.get("/api/session")).status_code for _ in range(3)]
        assert unknown == [401, 401, 429]


async def test_a_long_body_is_refused_before_it_is_read(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    who = await bearer(runtime, "researcher")
    headers = {**who, "Content-Length": str(300 << 20)}
    assert (await web.post("/api/jobs", content=b"{", headers=headers)).status_code == 413

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            await trio.lowlevel.checkpoint()
            return b" " * 65536

    headers = {**who, "Host": "localhost"}
    endless = httpx.Request("POST", ORIGIN + "/api/jobs", stream=Endless(), headers=headers)
    assert (await web.send(endless)).status_code == 413


async def test_a_stream_ends_when_its_token_is_revoked(
    autojump_clock: MockClock, runtime: RunningRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at every half minute: who was let in is not let in for ever."""
    token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
    app, begun = create_app(runtime), trio.Event()

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        begun.set()

    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {secret}".encode())]
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/api/events",
        "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1), "state": {},
    }  # fmt: skip

    async def revoke() -> None:
        await begun.wait()
        await runtime.access.revoke(token.token_id)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(revoke)
        with trio.fail_after(2 * guard.LOOK_AGAIN + 1):
            await app(scope, trio.sleep_forever, send)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"host": "0.0.0.0"}, "host: 0.0.0.0 is not loopback"),
        ({"host": "192.168.1.4"}, "host: 192.168.1.4 is not loopback"),
        ({"tls_certificate": "x"}, "tls_key"),
    ],
)
def test_nothing_but_loopback_is_served_readably(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HttpOptions(**given)


@pytest.mark.parametrize(
    "given",
    [{"host": "::1"}, {"host": "localhost"}, {"host": "0.0.0.0", "behind_proxy": True},
     {"host": "0.0.0.0", "tls_certificate": "c", "tls_key": "k"}],
)  # fmt: skip
def test_loopback_tls_and_proxies_are_served(given: dict[str, Any]) -> None:
    HttpOptions(**given)
