"""The feed over a runtime in memory, on a real port of the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from actors.access.hosts import AllowedHosts
from actors.access.peer import Peer
from actors.feed.options import FeedOptions
from actors.feed.server import FeedServer
from actors.kernel import SystemClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, seeded_sources, virtual_settings
from supervision import ChildSpec, Supervisor, open_supervisor

Client = Callable[..., AbstractAsyncContextManager["Seen"]]


@attrs.define
class Tokens:
    """Who comes with which token; take one out to revoke it."""

    known: dict[str, Peer] = attrs.field(factory=dict)

    async def peer_of(self, token: str) -> Peer | None:
        await trio.lowlevel.checkpoint()
        return self.known.get(token)


@attrs.define
class Seen:
    """A client of the feed."""

    socket: WebSocketConnection

    async def say(self, **message: Any) -> None:
        await self.socket.send_message(orjson.dumps(message).decode())

    async def next(self) -> dict[str, Any]:
        with trio.fail_after(60):
            found: dict[str, Any] = orjson.loads(await self.socket.get_message())
        return found

    async def until(self, type_: str) -> list[dict[str, Any]]:
        """Everything up to the next message of ``type_``."""
        found = [await self.next()]
        while found[-1]["type"] != type_:
            found.append(await self.next())
        return found

    async def subscribe(self, **wanted: Any) -> dict[str, Any]:
        await self.say(type="subscribe", **wanted)
        return (await self.until("subscribed"))[-1]


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(
        {
            "boss": Peer(None, "bo", "admin", via="token"),
            "ana": Peer(None, "ana", "viewer", via="token"),
            "cy": Peer(None, "cy", "viewer", via="token"),
        }
    )


@pytest.fixture
async def runtime() -> AsyncIterator[RunningRuntime]:
    """Simulated jobs that never end by themselves within a test."""
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(SystemClock().now))
    parts = Parts(in_memory=True, sources=seeded_sources(1), providers=[provider])
    async with running_runtime(settings=virtual_settings(), parts=parts) as running:
        yield running


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    async with open_supervisor([], max_restarts=0) as running:
        yield running


@pytest.fixture
def grace() -> float:
    """Seconds in which connections have to end when the server stops. Where all of them must, a test gives more."""
    return 1.0


@pytest.fixture
async def feed(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: Tokens, grace: float, monkeypatch: pytest.MonkeyPatch
) -> FeedServer:
    """Served as a supervised child, whose stop is the server's stop."""
    monkeypatch.setattr("actors.net.connections.GRACE", grace)
    server = FeedServer(runtime, FeedOptions(port=0), tokens.peer_of, AllowedHosts())
    await supervisor.start_child(ChildSpec("feed", server.run))
    return server


@pytest.fixture
def connect(feed: FeedServer) -> Client:
    """Open a connection; ``token`` goes into the header, None sends none. The TCP connection is closed, too, which
    the library leaves to its peer."""

    @asynccontextmanager
    async def connected(
        token: str | None = "boss", path: str = "/", *, greeted: bool = True, **headers: str
    ) -> AsyncIterator[Seen]:
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        if token is not None:
            extra.append((b"Authorization", f"Bearer {token}".encode()))
        host = f"127.0.0.1:{feed.port}"
        async with await trio.open_tcp_stream("127.0.0.1", feed.port) as stream, trio.open_nursery() as nursery:
            try:
                socket = await wrap_client_stream(nursery, stream, host, path, extra_headers=extra)
                seen = Seen(socket)
                if token is not None and greeted:
                    assert (await seen.next())["type"] == "connected"
                yield seen
                with trio.move_on_after(1):
                    await socket.aclose()
            finally:
                nursery.cancel_scope.cancel()

    return connected
