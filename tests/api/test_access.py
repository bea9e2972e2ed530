"""Tokens, sign-in and sessions; what may be asked over the network; names and origins; bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from actors.access.access import CODE_LIFETIME, Access
from actors.access.hosts import HostList, same_origin
from actors.access.peer import Peer
from actors.access.rightful import rightful
from actors.access.secret import PREFIX, hashed
from actors.api import access as guard
from actors.api.access import asked_by
from actors.api.app import create_app
from actors.api.bounds import NoRoom, Rates, Streams
from actors.api.options import HttpOptions
from actors.jobs.records import JobRequest
from actors.jobs.refusal import RefusalKind, Refused
from actors.kernel import Clock
from actors.runtime import RunningRuntime
from actors.store import access as rows
from actors.testing.runtime import request
from logconf.masking import forget_secrets, mask_text

ORIGIN = "http://127.0.0.1:8765"


class Wall(Clock):
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def access(runtime: RunningRuntime, wall: Wall) -> Access:
    return Access(runtime.ledger, wall)


@pytest.fixture
async def web(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application as it is served on TCP, without a token."""
    options = HttpOptions(requests_per_minute=1000)
    transport = httpx.ASGITransport(app=create_app(runtime, options), client=("127.0.0.1", 5))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield http


async def bearer(runtime: RunningRuntime, level: str, user: str = "ana", **more: Any) -> dict[str, str]:
    _token, secret = await runtime.access.create_token(user_id=user, level=level, **more)
    return {"Authorization": f"Bearer {secret}"}


# Tokens.


async def test_a_token_is_256_random_bits_and_only_its_hash_is_kept(runtime: RunningRuntime) -> None:
    token, secret = await runtime.access.create_token(user_id="ana", level=" Lead ", org_id="lab", by="bo")
    assert secret.startswith(PREFIX)
    assert len(secret) == len(PREFIX) + 43
    assert token.secret_hash == hashed(secret)
    kept = await runtime.ledger.read(rows.tokens)
    assert secret not in repr(kept)
    peer = await runtime.access.token_peer(secret)
    assert peer is not None
    assert (peer.name, peer.level, peer.org_id, peer.via) == ("ana", "lead", "lab", "token")


async def test_a_token_opens_nothing_from_its_end_on(access: Access, wall: Wall) -> None:
    _token, secret = await access.create_token(user_id="ana", level="viewer", expires_in=3600)
    made = (await access.tokens())[0]
    assert made.expires_at is not None
    wall.time = made.expires_at - timedelta(microseconds=1)
    assert await access.token_peer(secret) is not None
    wall.time = made.expires_at
    assert await access.token_peer(secret) is None


async def test_a_revoked_token_ends_its_sessions_too(access: Access) -> None:
    token, secret = await access.create_token(user_id="ana", level="viewer")
    session = await access.sign_in_with_token(secret, timedelta(hours=1))
    assert session is not None
    assert await access.session_peer(session.secret) is not None
    await access.revoke(token.token_id[-10:])
    assert await access.token_peer(secret) is None
    assert await access.session_peer(session.secret) is None
    assert (await access.revoke(token.token_id)).revoked_at is not None  # once more is harmless


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"level": "boss"}, "level"), ({"user_id": ""}, "user_id"), ({"user_id": "a\nb"}, "user_id"),
        ({"expires_in": 0}, "expires_in"), ({"expires_in": float("nan")}, "expires_in"),
        ({"expires_in": 1e300}, "expires_in"), ({"name": "n" * 256}, "name"),
    ],
)  # fmt: skip
async def test_a_token_that_makes_no_sense_is_refused(access: Access, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        await access.create_token(**{"user_id": "ana", "level": "viewer", **wrong})
    assert refused.value.field == field


async def test_when_a_token_was_used_is_kept_to_the_hour(access: Access, wall: Wall) -> None:
    _token, secret = await access.create_token(user_id="ana", level="viewer")
    await access.token_peer(secret)
    first = (await access.tokens())[0].last_used_at
    assert first is not None
    await access.token_peer(secret)
    assert (await access.tokens())[0].last_used_at == first
    wall.time += timedelta(hours=1, seconds=1)
    await access.token_peer(secret)
    assert (await access.tokens())[0].last_used_at != first


async def test_a_token_is_masked_in_whatever_is_logged(access: Access) -> None:
    """From when it is made, and after a restart from its first use."""
    _token, secret = await access.create_token(user_id="ana", level="viewer")
    assert secret not in mask_text(f"somebody sent {secret}")
    forget_secrets()
    again = Access(access._ledger, access._clock)
    await again.token_peer(secret)
    assert secret not in mask_text(f"somebody sent {secret}")
    forget_secrets()


async def test_making_and_revoking_are_events_without_the_secret(runtime: RunningRuntime) -> None:
    token, secret = await runtime.access.create_token(user_id="ana", level="viewer", by="bo")
    await runtime.access.revoke(token.token_id, by="cy")
    told = await runtime.past_events()
    assert [(event.type, event.data["by"]) for event in told] == [("access_granted", "bo"), ("access_revoked", "cy")]
    assert secret not in repr(told)


# Signing in.


async def test_a_code_signs_in_once(access: Access) -> None:
    code = access.code_for(Peer(1000, "ana"))
    session = await access.sign_in_with_code(code, timedelta(hours=1))
    assert session is not None
    assert (session.peer.name, session.peer.level, session.peer.via) == ("ana", "admin", "session")
    assert await access.sign_in_with_code(code, timedelta(hours=1)) is None


async def test_a_code_is_good_for_five_minutes(access: Access, wall: Wall) -> None:
    code, later = access.code_for(Peer(1000, "ana")), access.code_for(Peer(1000, "ana"))
    wall.time += CODE_LIFETIME - timedelta(microseconds=1)
    assert await access.sign_in_with_code(code, timedelta(hours=1)) is not None
    wall.time += timedelta(microseconds=1)
    assert await access.sign_in_with_code(later, timedelta(hours=1)) is None


async def test_who_asks_for_codes_without_end_loses_the_oldest(access: Access) -> None:
    first = access.code_for(Peer(1000, "ana"))
    last = [access.code_for(Peer(1000, "ana")) for _ in range(64)][-1]
    assert await access.sign_in_with_code(first, timedelta(hours=1)) is None
    assert await access.sign_in_with_code(last, timedelta(hours=1)) is not None


async def test_a_session_outlives_the_supervisor_but_not_its_time(access: Access, wall: Wall) -> None:
    session = await access.sign_in_with_code(access.code_for(Peer(1000, "ana")), timedelta(hours=1))
    assert session is not None
    restarted = Access(access._ledger, wall)
    assert await restarted.session_peer(session.secret) is not None
    wall.time = session.expires_at
    assert await restarted.session_peer(session.secret) is None


async def test_a_session_ends_with_its_token_at_the_latest(access: Access) -> None:
    token, secret = await access.create_token(user_id="ana", level="viewer", expires_in=60)
    session = await access.sign_in_with_token(secret, timedelta(hours=1))
    assert session is not None
    assert session.expires_at == token.expires_at


async def test_the_page_exchanges_the_code_for_a_cookie_that_scripts_cannot_read(
    web: httpx.AsyncClient, runtime: RunningRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole way of `greenroom open`: a link from the socket, its code, a cookie, who I am, signed out."""
    runtime.access.address = ORIGIN + "/"
    local = httpx.ASGITransport(app=asked_by(create_app(runtime), Peer(1000, "ana")))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=local, base_url="http://greenroom") as operator:
        made = (await operator.post("/api/session/code")).json()
    assert made["link"].startswith(ORIGIN + "/#code=")
    code = made["link"].partition("#code=")[2]
    answer = await web.post("/api/session", json={"code": code}, headers={"Origin": ORIGIN})
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert (await web.get("/api/session")).json()["user_id"] == "ana"
    assert (await web.post("/api/session", json={"code": code})).status_code == 401
    assert (await web.delete("/api/session", headers={"Origin": ORIGIN})).status_code == 204
    assert (await web.get("/api/session")).status_code == 401
    assert code not in caplog.text


async def test_a_link_is_made_only_where_http_is_served(runtime: RunningRuntime) -> None:
    local = httpx.ASGITransport(app=asked_by(create_app(runtime), Peer(1000, "ana")))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=local, base_url="http://greenroom") as operator:
        assert (await operator.post("/api/session/code")).status_code == 503


@pytest.mark.parametrize("body", [{}, {"code": "x", "token": "y"}, {"code": 1}, {"password": "x"}, []])
async def test_a_sign_in_that_makes_no_sense_is_refused(web: httpx.AsyncClient, body: Any) -> None:
    assert (await web.post("/api/session", json=body)).status_code == 422


async def test_a_session_changes_nothing_without_an_origin(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """Whatever a browser sends of its own accord is not enough."""
    secret = (await bearer(runtime, "admin"))["Authorization"].removeprefix("Bearer ")
    await web.post("/api/session", json={"token": secret})
    assert (await web.post("/api/prune", json={"dry_run": True})).status_code == 403
    assert (await web.post("/api/prune", json={"dry_run": True}, headers={"Origin": ORIGIN})).status_code == 200


@pytest.mark.parametrize(
    ("options", "headers", "secure"),
    [
        ({}, {}, False),
        ({"behind_proxy": True}, {}, True),
        ({"behind_proxy": True}, {"X-Forwarded-Proto": "http"}, False),
        ({}, {"X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_the_cookie_is_secure_where_tls_is_spoken(
    runtime: RunningRuntime, options: dict[str, Any], headers: dict[str, str], secure: bool
) -> None:
    transport = httpx.ASGITransport(app=create_app(runtime, HttpOptions(**options)))  # type: ignore[arg-type]
    secret = (await bearer(runtime, "viewer"))["Authorization"].removeprefix("Bearer ")
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        answer = await http.post("/api/session", json={"token": secret}, headers=headers)
    assert ("Secure" in answer.headers["set-cookie"]) is secure


# What may be asked.

ANA = Peer(None, "ana", "researcher", "lab", "token")


@pytest.mark.parametrize("level", ["viewer", "researcher", "lead", "admin"])
@pytest.mark.parametrize(
    "asked", [{"command": ("sh",)}, {"cwd": "/"}, {"env": {"LD_PRELOAD": "x"}}, {"env_from": ("GREENROOM_*",)}]
)
def test_no_level_runs_a_command_over_the_network(level: str, asked: dict[str, Any]) -> None:
    """B21; nor what would come to the same."""
    with pytest.raises(Refused) as refused:
        rightful(JobRequest(**asked), attrs.evolve(ANA, level=level))
    assert (refused.value.kind, refused.value.field) == (RefusalKind.FORBIDDEN, next(iter(asked)))


def test_for_whom_a_job_is_comes_from_the_token() -> None:
    asked = rightful(JobRequest(user_levels=("admin",)), ANA)
    assert (asked.user_id, asked.org_id, asked.user_levels) == ("ana", "lab", ("researcher",))
    for other in ({"user_id": "bo"}, {"org_id": "other"}):
        with pytest.raises(Refused, match="takes an admin"):
            rightful(JobRequest(**other), ANA)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="takes a lead"):
        rightful(JobRequest(priority_override=50), ANA)


def test_an_admin_may_name_others() -> None:
    admin = attrs.evolve(ANA, level="admin")
    asked = rightful(JobRequest(user_id="bo", org_id="other", user_levels=("viewer",)), admin)
    assert (asked.user_id, asked.org_id, asked.user_levels) == ("bo", "other", ("viewer",))


def test_on_the_socket_everything_goes() -> None:
    command = JobRequest(command=("sh",), env={"A": "b"}, user_id="bo", org_id="x", user_levels=("admin",))
    assert rightful(command, Peer(1000, "ana")) == command
    assert rightful(JobRequest(), Peer(1000, "ana")).user_id == "ana"


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
    rule = (await runtime.rules())[-1].rule
    await runtime.replace_rule(attrs.evolve(rule, required_approver_level="admin"))
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
    assert HostList(["Lab.example"]).allows(host)


@pytest.mark.parametrize(
    "host",
    [
        None, "", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost:8765@evil", "[::1", "a b",
        "localhost:999999", "lab.example/",
    ],
)  # fmt: skip
def test_foreign_names(host: str | None) -> None:
    assert not HostList(["lab.example"]).allows(host)


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
    rates = Rates(per_minute=60)
    assert [rates.take("ana") for _ in range(60)] == [0.0] * 60
    assert rates.take("ana") == pytest.approx(1.0)
    assert rates.take("bo") == 0.0
    await trio.sleep(1)
    assert rates.take("ana") == 0.0
    assert rates.take("ana") > 0


async def test_a_rate_forgets_who_has_long_been_silent(autojump_clock: MockClock) -> None:
    rates = Rates(per_minute=60)
    for index in range(5000):
        rates.take(f"address:{index}")
    await trio.sleep(60)
    rates.take("ana")
    assert len(rates._levels) <= 4097


def test_streams_are_bounded_for_each_and_in_all() -> None:
    streams = Streams(in_all=3, of_one=2)
    with streams.one_more("ana"), streams.one_more("ana"):
        with pytest.raises(NoRoom, match="yours"), streams.one_more("ana"):
            pass
        with streams.one_more("bo"), pytest.raises(NoRoom, match="streams are open already"), streams.one_more("cy"):
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
