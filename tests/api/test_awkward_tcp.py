"""Awkward input on TCP, from people who have no token: after each the same child serves, and no actor was restarted."""

from __future__ import annotations

import socket as plain_socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing

from actors.api import server
from actors.api.options import HttpOptions
from actors.api.tcp import http_server
from actors.net import connections
from actors.net.client_faults import ClientFaults
from actors.runtime import RunningRuntime
from supervision import Supervisor, open_supervisor
from tests.api.frames import PATIENCE, closed

HEAD = b"Host: localhost\r\n"
UPGRADE = (
    b"GET /api/events HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
Nonsense = Callable[[trio.SocketStream], Awaitable[None]]


@attrs.frozen
class Served:
    """A runtime on TCP: its server's child, its port, a token, and an ordinary client that has a connection already."""

    runtime: RunningRuntime
    supervisor: Supervisor
    port: int
    token: str
    http: httpx.AsyncClient

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def still_serves(self) -> None:
        """An ordinary request, on the connection from before and on a new one, by the same child; no restarts."""
        for http in (self.http, self.another()):
            answer = await http.get("/api/session")
            assert answer.status_code == 200
        await http.aclose()
        (child,) = self.supervisor.children()
        assert (child.state, child.incarnation, child.restarts) == ("running", 1, 0)

    def another(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {self.token}"}
        )


@pytest.fixture
def options() -> HttpOptions:
    return HttpOptions(port=0)


@pytest.fixture
async def served(
    runtime: RunningRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: HttpOptions
) -> AsyncIterator[Served]:
    monkeypatch.setattr(connections, "GRACE", 0.1)
    child = http_server(runtime, tmp_path, options)
    async with open_supervisor([child]) as supervisor:
        assert runtime.access.address is not None
        _token, secret = await runtime.access.create_token(user_id="ana", level="admin")
        port = int(runtime.access.address.rstrip("/").rpartition(":")[2])
        found = Served(runtime, supervisor, port, secret, httpx.AsyncClient())
        await found.http.aclose()
        found = attrs.evolve(found, http=found.another())
        async with found.http:
            assert (await found.http.get("/api/session")).status_code == 200
            yield found


async def status_of(stream: trio.abc.ReceiveStream) -> int:
    with trio.fail_after(PATIENCE):
        head = await stream.receive_some(65536)
    return int(head.split(b" ", 2)[1])


async def bytes_after_an_upgrade(stream: trio.SocketStream) -> None:
    await stream.send_all(UPGRADE + b"x")
    assert b"101" not in (await closed(stream)).splitlines()[0]


async def bytes_after_an_upgrade_in_a_piece_of_their_own(stream: trio.SocketStream) -> None:
    await stream.send_all(UPGRADE)
    await stream.receive_some(4096)
    await stream.send_all(b"x")
    await closed(stream)


async def a_greeting_of_tls(stream: trio.SocketStream) -> None:
    await stream.send_all(bytes.fromhex("16030100a5010000a10303") + b"\x00" * 64 + b"\r\n\r\n")
    await closed(stream)


async def bytes_of_every_value(stream: trio.SocketStream) -> None:
    await stream.send_all(bytes(range(256)) * 8 + b"\r\n\r\n")
    await closed(stream)


async def half_a_head(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HT")


async def half_a_body(stream: trio.SocketStream) -> None:
    """Without a token it is answered before the rest comes, and the connection ends although the rest never does."""
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b'Content-Length: 99\r\n\r\n{"provi')
    assert await status_of(stream) == 401
    await closed(stream)


async def more_body_than_was_said(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}" + b"trailing " * 999)
    assert await status_of(stream) == 401


async def a_negative_length(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n")
    assert await status_of(stream) == 400
    await closed(stream)


async def two_lengths(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x")
    assert await status_of(stream) == 400
    await closed(stream)


async def a_length_and_chunks(stream: trio.SocketStream) -> None:
    """What smuggles requests past proxies: chunks count, as RFC 9112 has it, or it is refused."""
    head = b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    await stream.send_all(head + b"0\r\n\r\nGET /api/session HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert await status_of(stream) in (400, 401)


async def a_broken_chunk(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    await closed(stream)


async def chunks_without_end(stream: trio.SocketStream) -> None:
    head = b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    await stream.send_all(head + b"1\r\n \r\n" * 5000)
    assert b"HTTP/1.1 401" in await closed(stream)


async def two_hosts(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert await status_of(stream) in (400, 421)


async def no_host(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health/live HTTP/1.0\r\n\r\n")
    assert await status_of(stream) == 421


async def a_whole_address_as_target(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET http://evil.example/api/jobs HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert await status_of(stream) == 401


async def a_head_without_end(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000)
    assert b" 431 " in (await closed(stream)).splitlines()[0]


async def ten_thousand_headers(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HTTP/1.1\r\n" + HEAD + b"A: b\r\n" * 10_000)
    await closed(stream)


async def a_reset_in_the_middle(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/session HTTP/1.1\r\n" + HEAD + b"Content-Length: 99\r\n\r\n{")
    stream.socket.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, struct.pack("ii", 1, 0))


async def a_reset_at_once(stream: trio.SocketStream) -> None:
    await trio.lowlevel.checkpoint()
    stream.socket.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, struct.pack("ii", 1, 0))


async def a_reader_that_stops(stream: trio.SocketStream) -> None:
    """Many answers asked for and none read."""
    stream.socket.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_RCVBUF, 2048)
    with trio.move_on_after(0.5):
        await stream.send_all((b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n") * 2000)


async def http2_from_the_start(stream: trio.SocketStream) -> None:
    await stream.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64)
    assert (await closed(stream)).startswith(b"HTTP/1.1 4")


async def an_upgrade_to_http2(stream: trio.SocketStream) -> None:
    """It is an offer that is passed over: the answer is HTTP/1.1's."""
    await stream.send_all(
        b"GET /health/live HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
    )
    assert await status_of(stream) == 200


async def a_path_that_is_no_text(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /%ff%fe%00 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
    assert await status_of(stream) == 401


async def a_hundred_requests_at_once(stream: trio.SocketStream) -> None:
    """Pipelined, they are answered one after the other."""
    await stream.send_all(b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n" * 1 + b"")
    await stream.send_all(b"".join([b"GET /health/live HTTP/1.1\r\n" + HEAD + b"\r\n"] * 99))
    seen = b""
    with trio.fail_after(PATIENCE):
        while seen.count(b"HTTP/1.1 200") < 100:
            piece = await stream.receive_some(65536)
            assert piece
            seen += piece


async def waiting_for_a_word(stream: trio.SocketStream) -> None:
    """Expect: 100-continue, and a client that then says nothing."""
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 99\r\n\r\n")
    assert b"HTTP/1.1 401" in await closed(stream)


NONSENSE = [
    bytes_after_an_upgrade, bytes_after_an_upgrade_in_a_piece_of_their_own, a_greeting_of_tls, bytes_of_every_value,
    half_a_head, half_a_body, more_body_than_was_said, a_negative_length, two_lengths, a_length_and_chunks,
    a_broken_chunk, chunks_without_end, two_hosts, no_host, a_whole_address_as_target, a_head_without_end,
    ten_thousand_headers, a_reset_in_the_middle, a_reset_at_once, a_reader_that_stops, http2_from_the_start,
    an_upgrade_to_http2, a_path_that_is_no_text, a_hundred_requests_at_once, waiting_for_a_word,
]  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_after_awkward_input_the_same_server_still_serves(
    nonsense: Nonsense, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LINGER", 0.05)
    stream = await served.connect()
    async with stream:
        await nonsense(stream)
    await served.still_serves()
    assert {
        child["restarts"] for actor in served.runtime.tree.describe() for child in actor.get("children", [actor])
    } == {0}


async def test_all_of_it_at_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LINGER", 0.05)

    async def one(nonsense: Nonsense) -> None:
        async with await served.connect() as stream:
            await nonsense(stream)

    async with trio.open_nursery() as nursery:
        for nonsense in NONSENSE:
            nursery.start_soon(one, nonsense)
    await served.still_serves()


@pytest.mark.parametrize("status", [200, 413])
async def test_a_body_that_nobody_reads_keeps_no_connection(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypercorn alone waits for ever: the body fills its queue, and the answer's end stands behind that."""
    monkeypatch.setattr(server, "LINGER", 0.05)
    monkeypatch.setattr(connections, "GRACE", 0.1)

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await trio.testing.wait_all_tasks_blocked(0.05)  # the queue is full by then
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    stream = await trio.open_tcp_stream(*listener.socket.getsockname())
    async with listener, stream, trio.open_nursery() as nursery:
        await nursery.start(server.HttpServer(refusing, ClientFaults(), "http").serve, [listener.socket])
        head = b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 100000000\r\n\r\n"
        nursery.start_soon(_push, stream, head)
        assert f"HTTP/1.1 {status}".encode() in await closed(stream)
        nursery.cancel_scope.cancel()


async def _push(stream: trio.SocketStream, head: bytes) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(head)
        while True:
            await stream.send_all(b" " * (1 << 20))
