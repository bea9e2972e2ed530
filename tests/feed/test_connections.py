"""Connections of the feed: who is let in, what is refused, and how a connection ends."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, ConnectionRejected

from actors.access.hosts import AllowedHosts
from actors.feed.connection import BEAT, Connection
from actors.feed.options import FeedOptions
from actors.feed.server import CONNECT_SECONDS, FeedServer, feed_server
from actors.runtime import RunningRuntime
from actors.store.errors import StoreBusy
from supervision import Supervisor
from tests.feed.conftest import Client


async def test_a_port_that_is_taken_is_said_and_fails_nobody(
    runtime: RunningRuntime, feed: FeedServer, supervisor: Supervisor, tokens: Any, caplog: pytest.LogCaptureFixture
) -> None:
    second = feed_server(FeedServer(runtime, FeedOptions(port=feed.port), tokens.peer_of, AllowedHosts()))
    await supervisor.start_child(attrs.evolve(second, id="second"))
    await trio.testing.wait_all_tasks_blocked()
    assert [child.state for child in supervisor.children()] == ["running", "finished"]
    assert "The event feed is not served: " in caplog.text


async def test_a_browser_signs_in_with_its_first_message(runtime: RunningRuntime, connect: Client) -> None:
    async with connect(None) as client:
        await client.say(type="authenticate", token="ana")
        assert await client.next() == {"type": "connected", "user": "ana", "level": "viewer"}


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "authenticate", "token": "wrong"}, 1008),
        ({"type": "subscribe"}, 1008),
        ({"type": "nonsense"}, 1007),
    ],
)
async def test_who_does_not_sign_in_is_shown_out(connect: Client, first: dict[str, Any], code: int) -> None:
    async with connect(None) as client:
        await client.say(**first)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert closed.value.reason.code == code


async def test_who_says_nothing_is_shown_out(connect: Client, mock_clock: trio.testing.MockClock) -> None:
    """Time stands still until somebody is connected, however long that takes."""
    async with connect(None) as client:
        mock_clock.jump(CONNECT_SECONDS)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert closed.value.reason.code == 1008


@pytest.mark.parametrize(
    ("token", "path", "headers", "status"),
    [
        ("wrong", "/", {}, 401),
        (None, "/", {"Authorization": "Basic Ym86Ym8="}, 401),
        ("boss", "/", {"Origin": "https://elsewhere.example"}, 403),
        ("boss", "/", {"Origin": "null"}, 403),
        (None, "/?token=boss", {}, 400),
        ("boss", "/other", {}, 404),
    ],
)
async def test_a_handshake_that_is_refused(
    connect: Client, token: str | None, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True, allow_unwrapped=True) as rejected:
        async with connect(token, path, **headers):
            pass
    error: Any = rejected.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert error.status_code == status


async def test_a_foreign_host_is_refused(feed: FeedServer) -> None:
    """DNS rebinding: the page's own name, resolved to the loopback."""
    stream = await trio.open_tcp_stream("127.0.0.1", feed.port)
    async with stream:
        await stream.send_all(
            b"GET / HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        with trio.fail_after(60):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 421 ")


async def test_a_page_of_this_server_on_its_other_port_may_connect(connect: Client) -> None:
    async with connect("boss", Origin="http://127.0.0.1:8765") as client:
        assert (await client.subscribe())["type"] == "subscribed"


async def test_a_message_that_is_none_is_explained_before_the_close(connect: Client) -> None:
    async with connect() as client:
        await client.say(type="subscribe", aftr=1)
        assert "did you mean after" in (await client.next())["detail"]
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert closed.value.reason.code == 1007


async def test_a_huge_message_is_refused(connect: Client) -> None:
    async with connect() as client:
        await client.socket.send_message("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert closed.value.reason.code == 1009


@pytest.mark.parametrize("answers_pings", [True, False])
async def test_a_token_that_is_revoked_ends_its_connection(
    connect: Client,
    tokens: Any,
    monkeypatch: pytest.MonkeyPatch,
    mock_clock: trio.testing.MockClock,
    answers_pings: bool,
) -> None:
    async def wait_for_ever(_: Connection) -> None:
        await trio.sleep_forever()

    if not answers_pings:
        monkeypatch.setattr(Connection, "_check_alive", wait_for_ever)
    async with connect("ana") as client:
        del tokens.known["ana"]
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(BEAT)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert (closed.value.reason.code, closed.value.reason.reason) == (1008, "the token has ended")


async def test_a_store_that_is_busy_ends_a_connection_with_a_reason(
    runtime: RunningRuntime, connect: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_after: Any) -> Any:
        raise StoreBusy("another process writes")

    monkeypatch.setattr(runtime.event_reader, "place_to_begin", fail)
    async with connect("boss") as client:
        await client.say(type="subscribe")
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert (closed.value.reason.code, closed.value.reason.reason) == (
        1001, "the store cannot be read now; connect again",
    )  # fmt: skip


@pytest.mark.parametrize("grace", [60.0])
async def test_a_stop_says_goodbye_with_a_close_frame(
    runtime: RunningRuntime, connect: Client, supervisor: Supervisor
) -> None:
    async with connect() as client, connect() as other:
        await client.subscribe()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.stop_child, "feed")
            for one in (client, other):
                with pytest.raises(ConnectionClosed) as closed:
                    await one.next()
                assert (closed.value.reason.code, closed.value.reason.reason) == (1001, "the supervisor stops")


async def test_a_user_has_a_bounded_number_of_connections(connect: Client, feed: FeedServer) -> None:
    async with trio.open_nursery() as nursery:
        opened = trio.Semaphore(0)

        async def hold() -> None:
            async with connect("ana"):
                opened.release()
                await trio.sleep_forever()

        for _ in range(5):
            nursery.start_soon(hold)
        for _ in range(5):
            await opened.acquire()
        async with connect("ana", greeted=False) as client:
            with pytest.raises(ConnectionClosed) as closed:
                await client.next()
        assert closed.value.reason.reason == "5 connections are open for ana already"
        async with connect("cy") as other:
            assert (await other.subscribe())["type"] == "subscribed"
        nursery.cancel_scope.cancel()


async def test_a_reader_that_does_not_read_holds_up_nobody_and_a_stop_is_not_held_up(
    runtime: RunningRuntime, connect: Client, feed: FeedServer, supervisor: Supervisor
) -> None:
    """Its socket fills; the other one gets every event, and the server stops within its grace."""
    async with connect() as reader:
        stalled = await trio.open_tcp_stream("127.0.0.1", feed.port)
        async with stalled:
            await stalled.send_all(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Authorization: Bearer boss\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            await reader.subscribe()
            for _ in range(10):
                await runtime.queue.set_limit("total", 5)
            assert [(await reader.next())["type"] for _ in range(10)] == ["limits_changed"] * 10
            with trio.fail_after(60):
                await supervisor.stop_child("feed")


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
    ],
)
async def test_no_client_can_end_the_feed(feed: FeedServer, connect: Client, garbage: bytes) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", feed.port)
    async with stream:
        if garbage:
            await stream.send_all(garbage)
    async with connect() as client:
        await client.socket._stream.send_all(b"\xff\xff\xff\xff\xff")  # no frame, after the upgrade
        with pytest.raises(ConnectionClosed):
            await client.next()
    async with connect() as client:
        assert (await client.subscribe())["type"] == "subscribed"
