"""The feed as clients see it: signing in, subscribing, resuming, being told goodbye."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, ConnectionRejected

from actors.access.hosts import AllowedHosts
from actors.control import event_reader
from actors.feed.options import FeedOptions
from actors.feed.server import FeedServer, feed_edge
from actors.runtime import RunningRuntime
from actors.testing import request
from supervision import Supervisor

Client = Callable[..., AbstractAsyncContextManager[Any]]
LONG = 3600


async def test_a_client_sees_what_happens_from_now_on(runtime: RunningRuntime, connect: Client) -> None:
    async with connect() as client:
        answer = await client.subscribe()
        assert answer["type"] == "subscribed"
        job = await runtime.submit(request(duration=LONG))
        event = await client.next()
        assert (event["type"], event["job_id"], event["user_id"]) == ("job_queued", job.job_id, "ana")
        assert event["correlation_id"] == job.correlation_id


async def test_resuming_loses_and_doubles_nothing(
    runtime: RunningRuntime, connect: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From rows to recent events and back: more happened than these hold, and more happens meanwhile."""
    monkeypatch.setattr(runtime.event_reader, "_recent", event_reader.RecentEvents(most=3))
    for _ in range(10):
        await runtime.queue.set_limit("total", 5)
    async with connect() as client, trio.open_nursery() as nursery:
        await client.subscribe(after=2, types=["limits_changed"])

        async def go_on() -> None:
            for _ in range(20):
                await runtime.queue.set_limit("total", 6)

        nursery.start_soon(go_on)
        numbers = [(await client.next())["seq"] for _ in range(28)]
    assert numbers == list(range(3, 31))


async def test_clients_are_counted(runtime: RunningRuntime, connect: Client) -> None:
    before = runtime.tallies.subscribers
    async with connect() as client, connect() as other, connect():
        for one in (client, other):
            await one.subscribe()
            await one.subscribe()  # in place of the one before
        await runtime.queue.set_limit("total", 5)
        for one in (client, other):
            await one.next()
        assert runtime.tallies.subscribers == before + 2


async def test_filters_leave_out_the_rest(runtime: RunningRuntime, connect: Client) -> None:
    async with connect() as client:
        first = await runtime.submit(request(duration=LONG))
        await client.subscribe(after=0, user="bo", types=["job_queued"])
        await runtime.submit(request(user_id="cy", duration=LONG))
        second = await runtime.submit(request(user_id="bo", duration=LONG))
        assert (await client.next())["job_id"] == second.job_id
        await client.subscribe(after=0, job_id=first.job_id)
        assert (await client.next())["job_id"] == first.job_id


async def test_a_number_that_was_never_reached_is_a_gap_and_is_not_waited_for(
    runtime: RunningRuntime, connect: Client
) -> None:
    """As after a change of the state directory: the client is told, and sees what happens next."""
    await runtime.queue.set_limit("total", 5)
    async with connect() as client:
        assert (await client.subscribe(after=1000))["after"] == 1
        assert await client.next() == {"type": "gap", "after": 1000, "missing": 0, "resume": 1}
        await runtime.queue.set_limit("total", 6)
        assert (await client.next())["seq"] == 2


async def test_a_port_that_is_taken_is_said_and_fails_nobody(
    runtime: RunningRuntime, feed: FeedServer, supervisor: Supervisor, tokens: Any, caplog: pytest.LogCaptureFixture
) -> None:
    second = feed_edge(FeedServer(runtime, FeedOptions(port=feed.port), tokens.peer_of, AllowedHosts()))
    await supervisor.start_child(attrs.evolve(second, id="second"))
    await trio.testing.wait_all_tasks_blocked()
    assert [child.state for child in supervisor.children()] == ["running", "finished"]
    assert "The event feed is not served: " in caplog.text


@pytest.mark.parametrize("after", [None, 0], ids=["live", "from rows"])
async def test_a_viewer_sees_own_jobs_alone(runtime: RunningRuntime, connect: Client, after: int | None) -> None:
    """Whatever it filters by: another's job, and what is nobody's, do not exist for it."""
    async with connect("ana") as ana:
        await ana.subscribe(after=after)
        await runtime.queue.set_limit("total", 7)
        await runtime.submit(request(user_id="cy", duration=LONG))
        own = await runtime.submit(request(user_id="ana", duration=LONG))
        assert (await ana.next())["job_id"] == own.job_id


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


async def test_who_says_nothing_is_shown_out(connect: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.feed.server.CONNECT_SECONDS", 0.2)
    async with connect(None) as client:
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
        with trio.fail_after(10):
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


async def test_a_window_bounds_what_is_sent_ahead(runtime: RunningRuntime, connect: Client) -> None:
    for _ in range(5):
        await runtime.queue.set_limit("total", 5)
    async with connect() as client:
        await client.subscribe(after=0, window=2)
        assert [(await client.next())["seq"] for _ in range(2)] == [1, 2]
        await client.say(type="ping")
        assert (await client.next())["type"] == "pong"  # and not event 3
        await client.say(type="ack", seq=1)
        assert (await client.next())["seq"] == 3
        await client.say(type="ack", seq=3)
        assert [(await client.next())["seq"] for _ in range(2)] == [4, 5]


async def test_who_never_acknowledges_is_told_where_to_resume(
    runtime: RunningRuntime, connect: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.feed.connection.ACK_SECONDS", 0.2)
    for _ in range(3):
        await runtime.queue.set_limit("total", 5)
    async with connect() as client:
        await client.subscribe(after=0, window=1)
        await client.next()
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert (closed.value.reason.code, closed.value.reason.reason) == (1013, "not acknowledged; resume after 0")


async def test_a_token_that_is_revoked_ends_its_connection(
    connect: Client, tokens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.feed.connection.BEAT", 0.1)
    async with connect("ana") as client:
        del tokens.known["ana"]
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert (closed.value.reason.code, closed.value.reason.reason) == (1008, "the token has ended")


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
            with trio.fail_after(10):
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
