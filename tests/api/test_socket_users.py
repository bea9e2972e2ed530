"""The Unix socket is the supervisor's own user's: everybody else, root included, is refused on every route (D1)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import httpx
import pytest
import trio

from actors.api.problems import PROBLEM
from actors.api.unix_peer import peer_of_socket
from actors.job_requests.sources import RequestSource
from actors.runtime import RunningRuntime
from tests.access.test_routes import DECLARED


@pytest.fixture
def _as_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor runs as somebody else than whoever connects (as root here, where the tests run as root)."""
    own = os.geteuid()
    monkeypatch.setattr("actors.api.unix_peer.os.geteuid", lambda: own + 4000)


async def test_who_connects_is_the_owner_or_another_by_the_kernels_word(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = trio.socket.socketpair()
    with one, other:
        own = peer_of_socket(one)
        assert (own.uid, own.source, own.is_local) == (os.geteuid(), RequestSource.SOCKET_OWNER, True)
        for supervisors in (own.uid + 1, 0 if own.uid else 1):
            monkeypatch.setattr("actors.api.unix_peer.os.geteuid", lambda uid=supervisors: uid)
            stranger = peer_of_socket(one)
            assert (stranger.source, stranger.is_local) == (RequestSource.SOCKET_OTHER, False)


@pytest.mark.usefixtures("_as_another_user")
async def test_every_request_of_another_user_is_refused_in_one_sentence(
    client: httpx.AsyncClient, runtime: RunningRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """Public routes, a good token and a word about one's source change nothing; nothing is logged about it."""
    _token, secret = await runtime.access.create_token(user_id="ana", level="admin")
    told = {"Authorization": f"Bearer {secret}", "X-Request-Source": "socket_owner", "Host": "localhost"}
    caplog.clear()
    for method, path in DECLARED:
        answered = await client.request(method, re.sub(r"{[^}]+}", "1", path), headers=told)
        assert answered.status_code == 403, (method, path)
        if method != "HEAD":
            assert answered.headers["content-type"] == PROBLEM
            assert re.fullmatch(
                r"this socket takes requests of user \S+ alone, and you are .*", answered.json()["detail"]
            )
    assert await runtime.jobs.page() == []
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


async def test_the_supervisors_own_user_is_served(client: httpx.AsyncClient, socket: Path) -> None:
    assert (await client.get("/api/session")).json()["via"] == "socket"
