"""Whom the rate of an address stops, and whom it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.runtime import RunningRuntime
from tests.api.servers import ORIGIN, bearer


@pytest.fixture
async def busy(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address from which so much junk came that its rate is spent."""
    options = HttpOptions(requests_per_minute=3)
    transport = httpx.ASGITransport(app=create_app(runtime, options), client=("127.0.0.1", 5))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        junk = [(await http.get("/api/jobs", headers={"Authorization": "Bearer junk"})).status_code for _ in range(4)]
        assert junk == [401, 401, 401, 429]
        yield http


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_health_is_never_refused_for_rate(busy: httpx.AsyncClient, path: str) -> None:
    assert {(await busy.get(path)).status_code for _ in range(20)} == {200}


async def test_full_health_is_never_refused_for_rate(busy: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    who = await bearer(runtime, "viewer")
    assert {(await busy.get("/health", headers=who)).status_code for _ in range(20)} == {200}
    assert {(await busy.get("/health")).status_code for _ in range(20)} == {401}


async def test_a_good_token_is_no_stranger_at_a_busy_address(busy: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """The page and its files too, which are open to all."""
    who = await bearer(runtime, "viewer")
    for path in ("/api/session", "/", "/api/jobs"):
        assert (await busy.get(path, headers=who)).status_code == 200
    assert (await busy.get("/", headers=who)).status_code == 429, "and has a rate of its own"


async def test_who_has_a_good_token_signs_in_at_a_busy_address(
    busy: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    secret = (await bearer(runtime, "viewer"))["Authorization"].removeprefix("Bearer ")
    for body in ({"token": "gr_junk"}, {"code": "junk"}):
        assert (await busy.post("/api/session", json=body)).status_code == 429
    assert (await busy.post("/api/session", json={"token": secret})).status_code == 201
    assert (await busy.get("/api/session")).status_code == 200, "the session is no stranger either"
    code = runtime.access.codes.make(Peer(1000, "bo"))
    assert (await busy.post("/api/session", json={"code": code})).status_code == 201


async def test_who_signs_in_without_end_has_a_rate(busy: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """Each sign-in is a write: a good token does not buy any number of them."""
    secret = (await bearer(runtime, "viewer"))["Authorization"].removeprefix("Bearer ")
    statuses = []
    for _ in range(6):
        busy.cookies.clear()
        statuses.append((await busy.post("/api/session", json={"token": secret})).status_code)
    assert statuses[0] == 201
    assert statuses[-1] == 429
