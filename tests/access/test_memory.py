"""Tokens and sessions in memory: what a request costs, and that no change of access is missed (D4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
import trio

from actors.access import memory
from actors.access.peer import Peer
from actors.access.sessions import MOST_SESSIONS, Access
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime
from actors.store import StoreUnavailable
from actors.store import access as rows
from tests.api.servers import ORIGIN, Wall, bearer

HOUR = timedelta(hours=1)


@pytest.fixture
def store_calls(runtime: RunningRuntime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the store from now on."""
    calls: list[str] = []
    store = runtime.ledger.store

    def counting(name: str, real: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted(query: Any) -> Any:
            calls.append(name)
            return real(query)

        return counted

    for name in ("read", "write"):
        monkeypatch.setattr(store, name, counting(name, getattr(store, name)))
    return calls


async def test_no_token_costs_a_store_read(
    web: httpx.AsyncClient, runtime: RunningRuntime, store_calls: list[str]
) -> None:
    """Right or wrong, of a token or a session, and signing out of nothing."""
    token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
    await runtime.access.token_peer(secret)
    await trio.testing.wait_all_tasks_blocked()  # its first use is written
    signed_in = await runtime.access.sign_in_with_token(secret, HOUR)
    assert signed_in is not None
    store_calls.clear()
    for headers, status in (
        ({"Authorization": f"Bearer {secret}"}, 200),
        ({"Authorization": "Bearer gr_wrong"}, 401),
        ({"Authorization": "Bearer " + "x" * 5000}, 401),
        ({"Cookie": f"greenroom_session_8765={signed_in.secret}"}, 200),
        ({"Cookie": "greenroom_session_8765=wrong"}, 401),
        ({}, 401),
    ):
        assert (await web.get("/api/session", headers=headers)).status_code == status
    assert (await web.post("/api/session", json={"token": "gr_wrong"})).status_code == 401
    assert (await web.post("/api/session", json={"code": "wrong"})).status_code == 401
    assert (await web.delete("/api/session", headers={"Cookie": "greenroom_session=wrong"})).status_code == 204
    await runtime.access.sign_out("wrong")
    assert await runtime.access.token_peer(secret) is not None
    assert await runtime.access.session_peer(signed_in.secret) is not None
    assert store_calls == []
    assert token.token_id


async def test_a_session_never_outlives_its_token(access: Access) -> None:
    """Many sign-ins race one revocation, in all orders: whichever began, none is left."""
    for round_ in range(10):
        token, secret = await access.create_token(user_id="ana", level="viewer")
        begun = []

        async def sign_in(secret: str = secret, begun: list[Any] = begun) -> None:
            begun.append(await access.sign_in_with_token(secret, HOUR))

        async with trio.open_nursery() as nursery:
            for index in range(8):
                if index == round_ % 8:
                    nursery.start_soon(access.revoke, token.token_id)
                nursery.start_soon(sign_in)
        assert len(begun) == 8
        for session in begun:
            assert session is None or await access.session_peer(session.secret) is None
        assert [one for one in await access.sessions.listed() if one.token_id == token.token_id] == []
        kept = await access._ledger.read(rows.sessions)
        assert [one for one in kept if one.token_id == token.token_id] == []


async def test_a_token_revoked_between_the_look_and_the_transaction_opens_no_session(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race itself: the token still held when it was looked at."""
    token, secret = await access.create_token(user_id="ana", level="viewer")
    begin = access._begin

    async def revoked_first(judged: Any, lifetime: timedelta) -> Any:
        await access.revoke(token.token_id)
        return await begin(judged, lifetime)

    monkeypatch.setattr(access, "_begin", revoked_first)
    assert await access.sign_in_with_token(secret, HOUR) is None


async def test_who_is_cancelled_while_a_token_is_revoked_has_revoked_it(access: Access) -> None:
    """The request that revokes may end before it knows of the commit; memory is changed with the commit."""
    token, secret = await access.create_token(user_id="ana", level="viewer")
    with trio.CancelScope() as scope:
        store = access._ledger.store
        transact = store._transact

        def cancelled_meanwhile(*args: Any) -> Any:
            found = transact(*args)
            scope.cancel()
            return found

        store._transact = cancelled_meanwhile  # type: ignore[method-assign]
        await access.revoke(token.token_id)
        await trio.lowlevel.checkpoint()
    store._transact = transact  # type: ignore[method-assign]
    assert await access.token_peer(secret) is None


async def test_a_revocation_that_is_not_committed_changes_nothing(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, secret = await access.create_token(user_id="ana", level="viewer")

    def full(_tx: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("actors.store.transaction.Transaction.flush", full)
        with pytest.raises(StoreUnavailable):
            await access.revoke(token.token_id)
    assert await access.token_peer(secret) is not None


async def test_an_older_reading_never_replaces_a_newer_one(access: Access) -> None:
    """As when a start's reading comes back after a revocation that passed it."""
    token, secret = await access.create_token(user_id="ana", level="viewer")
    before = await access._memory.known()
    await access.revoke(token.token_id)
    access._memory._replace(before)
    assert await access.token_peer(secret) is None


async def test_what_somebody_else_wrote_is_seen_with_the_next_change(access: Access, wall: Wall) -> None:
    """Only this process holds the lock; should a row come from elsewhere, a change reads all of them."""
    other = Access(access._ledger, wall)
    await access.tokens_page(limit=100)
    assert await access.token_peer("x") is None
    _token, secret = await other.create_token(user_id="bo", level="viewer")
    assert await access.token_peer(secret) is None
    await access.create_token(user_id="cy", level="viewer")
    assert await access.token_peer(secret) is not None


async def test_sessions_and_tokens_follow_the_wall_clock(access: Access, wall: Wall) -> None:
    """Forward ends them, and put back they hold again."""
    _token, secret = await access.create_token(user_id="ana", level="viewer", expires_in=7200)
    session = await access.sign_in_with_token(secret, HOUR)
    assert session is not None
    for forward, token_holds, session_holds in (
        (0, True, True),
        (5400, True, False),
        (7200, False, False),
        (0, True, True),
    ):
        begun = session.expires_at - HOUR
        wall.time = begun + timedelta(seconds=forward)
        assert (await access.token_peer(secret) is not None) is token_holds
        assert (await access.session_peer(session.secret) is not None) is session_holds


async def test_a_code_lives_no_longer_because_the_wall_clock_was_put_back(
    access: Access, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, now = access.codes.make(Peer(1000, "ana")), wall.steady()
    wall.time -= timedelta(hours=3)
    assert access.codes.knows(code)
    monkeypatch.setattr(wall, "steady", lambda: now + 301)
    assert not access.codes.knows(code)
    assert await access.sign_in_with_code(code, HOUR) is None


async def test_one_token_has_a_bounded_number_of_sessions(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest gives way; those of another token and of an operator stay."""
    assert MOST_SESSIONS == 100
    monkeypatch.setattr("actors.access.sessions.MOST_SESSIONS", 3)
    _token, secret = await access.create_token(user_id="ana", level="viewer")
    _other, others = await access.create_token(user_id="ana", level="viewer")
    kept = [await access.sign_in_with_token(others, HOUR)]
    kept += [await access.sign_in_with_code(access.codes.make(Peer(1000, "ana")), HOUR) for _ in range(3)]
    first, *newest = [await access.sign_in_with_token(secret, HOUR) for _ in range(4)]
    assert first is not None
    assert await access.session_peer(first.secret) is None
    for session in (*kept, *newest):
        assert session is not None
        assert await access.session_peer(session.secret) is not None


# When a token was last used.


async def test_a_thousand_requests_write_once_that_a_token_was_used(
    runtime: RunningRuntime, store_calls: list[str], access: Access, wall: Wall
) -> None:
    """Not by the request itself, and again after an hour; a stop writes the rest."""
    token, secret = await access.create_token(user_id="ana", level="viewer")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(access._uses.keep)
        await access.token_peer(secret)
        await trio.testing.wait_all_tasks_blocked()
        store_calls.clear()
        for _ in range(1000):
            wall.time += timedelta(seconds=1)
            await access.token_peer(secret)
        await trio.testing.wait_all_tasks_blocked()
        assert store_calls == []
        assert (await access.tokens_page(limit=100))[0].last_used_at == wall.time
        nursery.cancel_scope.cancel()
    assert (await Access(access._ledger, wall).tokens_page(limit=1))[0].last_used_at == wall.time
    assert token.last_used_at is None


async def test_a_token_is_judged_although_its_use_cannot_be_written(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    _token, secret = await access.create_token(user_id="ana", level="viewer")

    async def full(_closure: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(access._ledger.store, "write", full)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(access._uses.keep)
        assert await access.token_peer(secret) is not None
        await trio.testing.wait_all_tasks_blocked()
        assert await access.token_peer(secret) is not None
        nursery.cancel_scope.cancel()
    assert memory.PAUSE >= 60


# Listing and ending sessions.


async def test_every_session_is_listed_and_can_be_ended(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """Those of `greenroom open`, which no token began, too."""
    access, admin = runtime.access, await bearer(runtime, "admin", "root")
    token, secret = await access.create_token(user_id="ana", level="viewer")
    with_token = await access.sign_in_with_token(secret, HOUR)
    operators = [await access.sign_in_with_code(access.codes.make(Peer(1000, "bo")), HOUR) for _ in range(2)]
    assert with_token is not None
    listed = (await web.get("/api/sessions", headers=admin)).json()["sessions"]
    assert [(one["user_id"], one["token_id"]) for one in listed] == [
        ("bo", None),
        ("bo", None),
        ("ana", token.token_id),
    ]
    assert with_token.secret not in str(listed)
    one = listed[2]["session_id"]
    assert (await web.delete(f"/api/sessions/{one}", headers=admin)).json()["session_id"] == one
    assert await access.session_peer(with_token.secret) is None
    assert (await web.delete(f"/api/sessions/{one}", headers=admin)).status_code == 404
    ended = (await web.delete("/api/sessions", params={"user_id": "bo"}, headers=admin)).json()["sessions"]
    assert len(ended) == 2
    for session in operators:
        assert session is not None
        assert await access.session_peer(session.secret) is None
    assert (await web.get("/api/sessions", headers=admin)).json() == {"sessions": [], "next": None}
    assert (await web.delete("/api/sessions", headers=admin)).status_code == 422
    told = [event.data for event in await runtime.event_reader.past_events() if event.type == "session_revoked"]
    assert [(data["user_id"], data["by"]) for data in told] == [("ana", "root"), ("bo", "root"), ("bo", "root")]


async def test_a_session_that_fits_more_than_one_is_not_guessed(access: Access) -> None:
    sessions = [await access.sign_in_with_code(access.codes.make(Peer(1000, "bo")), HOUR) for _ in range(17)]
    with pytest.raises(Refused, match="there is no session ''"):
        await access.sessions.end("")
    first = sorted(one.session_id[0] for one in await access.sessions.listed())
    twice = next(one for one, other in pairwise(first) if one == other)
    with pytest.raises(Refused, match="more than one"):
        await access.sessions.end(twice)
    assert len(await access.sessions.listed()) == len(sessions)


async def test_signing_in_at_the_page_costs_nothing_to_judge(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """A session that began this moment is known at once, and gone at once when it is signed out."""
    _token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
    assert (await web.post("/api/session", json={"token": secret})).status_code == 201
    assert (await web.get("/api/session")).status_code == 200
    assert (await web.delete("/api/session", headers={"Origin": ORIGIN})).status_code == 204
    assert (await web.get("/api/session")).status_code == 401
