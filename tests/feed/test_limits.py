"""The feed's limits on people unknown: who says nothing gives way, and no address takes all places."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
import trio
import trio.testing

from actors.access.hosts import AllowedHosts
from actors.feed.options import FeedOptions
from actors.feed.server import FeedServer
from actors.runtime import RunningRuntime
from actors.store import StoreUnavailable
from supervision import ChildSpec, Supervisor
from tests.feed.conftest import Seen

Client = Callable[..., AbstractAsyncContextManager[Seen]]
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Authorization: Bearer boss\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def silent(stack: AsyncExitStack, port: int, number: int) -> list[trio.SocketStream]:
    """So many connections that say nothing."""
    opened = [await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port)) for _ in range(number)]
    await trio.testing.wait_all_tasks_blocked()
    return opened


async def test_silent_connections_close_the_feed_to_nobody(
    feed: FeedServer, connect: Client, runtime: RunningRuntime
) -> None:
    """110 of them, and 100 places: the ones that wait longest give way, and who signed in before stays."""
    async with connect() as before, AsyncExitStack() as stack:
        await silent(stack, feed.port, 110)
        with trio.fail_after(60):
            async with connect("ana") as client:
                assert (await client.subscribe())["type"] == "subscribed"
        assert (await before.subscribe())["type"] == "subscribed"
    assert runtime.client_faults.counts["feed", "gave way"] > 0


async def test_the_silent_of_one_address_give_way_to_that_address_alone(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: Any
) -> None:
    server = FeedServer(
        runtime, FeedOptions(port=0, max_connections=10, max_per_address=2), tokens.peer_of, AllowedHosts()
    )
    await supervisor.start_child(ChildSpec("feed", server.run))
    async with AsyncExitStack() as stack:
        first, second, third = await silent(stack, server.port, 3)
        assert await first.receive_some() == b""
        for stream in (second, third):
            with trio.move_on_after(0) as waiting:
                await stream.receive_some()
            assert waiting.cancelled_caught


async def test_behind_a_proxy_all_come_from_its_address(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: Any
) -> None:
    options = FeedOptions(port=0, max_per_address=2)
    server = FeedServer(runtime, options, tokens.peer_of, AllowedHosts(), behind_proxy=True)
    await supervisor.start_child(ChildSpec("feed", server.run))
    async with AsyncExitStack() as stack:
        await silent(stack, server.port, 5)
        assert runtime.client_faults.counts["feed", "gave way"] == 0


async def test_who_is_signed_in_gives_way_to_nobody(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: Any
) -> None:
    server = FeedServer(runtime, FeedOptions(port=0, max_connections=1), tokens.peer_of, AllowedHosts())
    await supervisor.start_child(ChildSpec("feed", server.run))
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as first:
        await first.send_all(UPGRADE)
        received = b""
        while b'"connected"' not in received:
            received += await first.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as second:
            assert await second.receive_some() == b""
        assert runtime.client_faults.counts["feed", "no room"] == 1


@pytest.mark.parametrize("said", ["one too many", "nonsense"])
async def test_who_is_sent_away_gives_way(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: Any, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Only connections that count among a user's own give way to nobody; a goodbye that is not answered holds none."""
    monkeypatch.setattr("actors.feed.server.CLOSE_SECONDS", 60)
    places = 2 if said == "one too many" else 1
    options = FeedOptions(port=0, max_connections=places, max_per_user=1)
    server = FeedServer(runtime, options, tokens.peer_of, AllowedHosts())
    await supervisor.start_child(ChildSpec("feed", server.run))
    async with AsyncExitStack() as stack:
        open_ = [
            await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", server.port)) for _ in range(places)
        ]
        for stream in open_:
            await stream.send_all(UPGRADE)
        if said == "nonsense":
            await receive_until(open_[0], b'"connected"')
        if said == "nonsense":
            await open_[0].send_all(b"\x81\x82\0\0\0\0{}")
        await receive_until(open_[-1], b"already" if said == "one too many" else b"must be one of")
        await trio.testing.wait_all_tasks_blocked()
        third = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", server.port))
        await third.send_all(UPGRADE.replace(b"boss", b"ana"))
        await receive_until(third, b'"connected"')


async def receive_until(stream: trio.SocketStream, wanted: bytes) -> None:
    received = b""
    with trio.fail_after(60):
        while wanted not in received:
            piece = await stream.receive_some()
            assert piece, f"closed after {received!r}"
            received += piece


async def test_a_handshake_has_its_time(feed: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.feed.server.CONNECT_SECONDS", 0.05)
    async with await trio.open_tcp_stream("127.0.0.1", feed.port) as stream:
        await stream.send_all(UPGRADE[:50])
        with trio.fail_after(60):
            assert await stream.receive_some() == b""


async def test_a_503_says_when_to_come_again(
    runtime: RunningRuntime, supervisor: Supervisor
) -> None:  # fmt: skip
    async def door(_token: str) -> None:
        raise StoreUnavailable("the disk is full")

    server = FeedServer(runtime, FeedOptions(port=0), door, AllowedHosts())
    await supervisor.start_child(ChildSpec("feed", server.run))
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        await stream.send_all(UPGRADE)
        with trio.fail_after(60):
            head = (await stream.receive_some()).lower()
    assert head.startswith(b"http/1.1 503 ")
    assert b"\r\nretry-after: 5\r\n" in head
