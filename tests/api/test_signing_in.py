"""Tokens, sign-in codes and sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from actors.access.peer import Peer
from actors.access.secret import CODE_LIFETIME, PREFIX, hashed
from actors.access.sessions import Access
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.api.options import HttpOptions
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime
from actors.store import access as rows
from logconf.masking import forget_secrets, mask_text
from tests.api.servers import ORIGIN, Wall, bearer

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
    made = (await access.tokens_page(limit=100))[0]
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
    first = (await access.tokens_page(limit=100))[0].last_used_at
    assert first is not None
    await access.token_peer(secret)
    assert (await access.tokens_page(limit=100))[0].last_used_at == first
    wall.time += timedelta(hours=1, seconds=1)
    await access.token_peer(secret)
    assert (await access.tokens_page(limit=100))[0].last_used_at != first


async def test_a_token_is_masked_in_whatever_is_logged(access: Access) -> None:
    """From when it is made, and after a restart from its first use."""
    _token, secret = await access.create_token(user_id="ana", level="viewer")
    assert secret not in mask_text(f"somebody sent {secret}")
    forget_secrets()
    again = Access(access._ledger, access._clock)
    await again.token_peer(secret)
    assert secret not in mask_text(f"somebody sent {secret}")


async def test_making_and_revoking_are_events_without_the_secret(runtime: RunningRuntime) -> None:
    token, secret = await runtime.access.create_token(user_id="ana", level="viewer", by="bo")
    await runtime.access.revoke(token.token_id, by="cy")
    told = await runtime.event_reader.past_events()
    assert [(event.type, event.data["by"]) for event in told] == [("access_granted", "bo"), ("access_revoked", "cy")]
    assert secret not in repr(told)


# Signing in.


async def test_a_code_signs_in_once(access: Access) -> None:
    code = access.codes.make(Peer(1000, "ana"))
    session = await access.sign_in_with_code(code, timedelta(hours=1))
    assert session is not None
    assert (session.peer.name, session.peer.level, session.peer.via) == ("ana", "admin", "session")
    assert await access.sign_in_with_code(code, timedelta(hours=1)) is None


async def test_a_code_is_good_for_five_minutes(access: Access, wall: Wall) -> None:
    code, later = access.codes.make(Peer(1000, "ana")), access.codes.make(Peer(1000, "ana"))
    wall.passed += CODE_LIFETIME.total_seconds() - 1
    assert await access.sign_in_with_code(code, timedelta(hours=1)) is not None
    wall.passed += 1
    assert await access.sign_in_with_code(later, timedelta(hours=1)) is None


@pytest.mark.parametrize("by", [timedelta(hours=3), timedelta(hours=-3)], ids=["forward", "back"])
async def test_a_step_of_the_wall_clock_neither_ends_a_code_nor_keeps_it(
    access: Access, wall: Wall, by: timedelta
) -> None:
    code, later = access.codes.make(Peer(1000, "ana")), access.codes.make(Peer(1000, "ana"))
    wall.time += by
    wall.passed += CODE_LIFETIME.total_seconds() - 1
    assert await access.sign_in_with_code(code, timedelta(hours=1)) is not None
    wall.passed += 1
    assert await access.sign_in_with_code(later, timedelta(hours=1)) is None


async def test_who_asks_for_codes_without_end_loses_the_oldest(access: Access) -> None:
    first = access.codes.make(Peer(1000, "ana"))
    last = [access.codes.make(Peer(1000, "ana")) for _ in range(64)][-1]
    assert await access.sign_in_with_code(first, timedelta(hours=1)) is None
    assert await access.sign_in_with_code(last, timedelta(hours=1)) is not None


async def test_a_session_outlives_the_supervisor_but_not_its_time(access: Access, wall: Wall) -> None:
    session = await access.sign_in_with_code(access.codes.make(Peer(1000, "ana")), timedelta(hours=1))
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
