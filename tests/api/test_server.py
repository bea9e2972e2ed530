"""The guarded server on its Unix socket: whatever one connection does, the others are served."""

from __future__ import annotations

import inspect
import os
import shutil
import socket as plain_socket
import stat
import struct
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from hypercorn.trio import tcp_server, worker_context

from actors.api import body, unix
from actors.api.socket_file import LONGEST, POINTER, announced, socket_path
from actors.api.unix import socket_server
from actors.api.unix_peer import peer_of_socket, user_name
from actors.jobs import maxima
from actors.net import connections, streams
from actors.runtime import RunningRuntime
from supervision import open_supervisor
from tests.api.frames import PATIENCE, Frames, closed

UPGRADE = (
    b"GET /api/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
Nonsense = Callable[[trio.SocketStream], Awaitable[None]]


async def bytes_after_an_upgrade(stream: trio.SocketStream) -> None:
    await stream.send_all(UPGRADE + b"x")
    await closed(stream)


async def bytes_after_an_upgrade_in_a_piece_of_their_own(stream: trio.SocketStream) -> None:
    await stream.send_all(UPGRADE)
    await stream.receive_some(4096)
    await stream.send_all(b"x")
    await closed(stream)


async def no_http(stream: trio.SocketStream) -> None:
    await stream.send_all(b"\x16\x03\x01 this is TLS\r\n\r\n")
    await closed(stream)


async def half_a_head(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HT")


async def half_a_body(stream: trio.SocketStream) -> None:
    await stream.send_all(b'POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"provi')


async def a_wrong_length(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
    await closed(stream)


async def a_broken_chunk(stream: trio.SocketStream) -> None:
    await stream.send_all(b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    await closed(stream)


async def an_endless_head(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000)
    await closed(stream)


async def a_reset_in_the_middle(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /api/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n")
    await stream.receive_some(10)
    linger = struct.pack("ii", 1, 0)
    stream.socket.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, linger)


async def http2_from_the_start(stream: trio.SocketStream) -> None:
    await stream.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64)
    await stream.receive_some(1)


async def an_upgrade_to_http2(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: !!\r\n\r\n" + b"x" * 99)
    await closed(stream)


async def a_path_that_is_no_text(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /%ff%fe\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await closed(stream)


async def two_requests_at_once(stream: trio.SocketStream) -> None:
    await stream.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    await stream.receive_some(10)


@pytest.mark.parametrize(
    "nonsense",
    [
        bytes_after_an_upgrade, bytes_after_an_upgrade_in_a_piece_of_their_own, no_http, half_a_head, half_a_body,
        a_wrong_length, a_broken_chunk, an_endless_head, a_reset_in_the_middle, http2_from_the_start,
        an_upgrade_to_http2, a_path_that_is_no_text, two_requests_at_once,
    ],
)  # fmt: skip
async def test_after_awkward_input_the_same_server_still_serves(nonsense: Nonsense, socket: Path) -> None:
    """The connection may fail; the child that serves is never restarted, and the next request is answered."""
    before = await client_of(socket)
    async with before:
        stream = await trio.open_unix_socket(socket)
        async with stream:
            await nonsense(stream)
        response = await before.get("/health")
        assert response.status_code == 200


async def client_of(path: Path) -> httpx.AsyncClient:
    await trio.lowlevel.checkpoint()
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://greenroom")


async def test_a_failing_connection_is_counted(
    socket: Path, client: httpx.AsyncClient, runtime: RunningRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """What hypercorn raises on a byte after an upgrade reaches the guard, not the server's nursery, nor the log."""
    caplog.set_level("DEBUG")
    async with await trio.open_unix_socket(socket) as stream:
        await bytes_after_an_upgrade(stream)
        await closed(stream)
    assert (await client.get("/health")).status_code == 200
    borders = ("A connection failed", "A request failed")  # whichever task runs first
    failed = [record for record in caplog.records if record.getMessage() in borders]
    assert [record.levelname for record in failed] == ["DEBUG"]
    counts = runtime.client_faults.counts
    assert counts["socket", "broken protocol"] + counts["http", "broken protocol"] == 1


async def test_the_socket_is_private_and_goes_with_the_server(runtime: Any, tmp_path: Path) -> None:
    async with open_supervisor([socket_server(runtime, tmp_path)]):
        path = announced(tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_left_by_a_killed_supervisor_is_replaced(runtime: Any, tmp_path: Path) -> None:
    with plain_socket.socket(plain_socket.AF_UNIX) as stale:
        stale.bind(str(socket_path(tmp_path)))
    serving = [socket_server(runtime, tmp_path)]
    async with open_supervisor(serving), await client_of(announced(tmp_path)) as http:
        assert (await http.get("/health")).status_code == 200


async def test_what_is_no_socket_is_never_removed(runtime: Any, tmp_path: Path) -> None:
    precious = socket_path(tmp_path)
    precious.write_text("precious")
    with pytest.raises(FileExistsError, match="is not a socket"), unix.bound(precious, 0o600):
        pass
    assert precious.read_text() == "precious"


async def test_a_path_that_is_too_long_lies_elsewhere_and_the_state_directory_says_where(
    runtime: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C3: beyond 100 bytes under XDG_RUNTIME_DIR; clients follow the file `socket`; two directories never share one."""
    short = Path(tempfile.mkdtemp(prefix="gr"))  # under tmp_path it could be too long itself
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    deep, other = tmp_path / ("d" * LONGEST), tmp_path / ("e" * LONGEST)
    deep.mkdir()
    other.mkdir()
    assert socket_path(deep) != socket_path(other)
    async with open_supervisor([socket_server(runtime, deep)]):
        assert Path((deep / POINTER).read_text().strip()).parent == short
        async with await client_of(announced(deep)) as http:
            assert (await http.get("/health")).status_code == 200
    shutil.rmtree(short)


async def test_who_asks_is_told_by_the_kernel(socket: Path, client: httpx.AsyncClient) -> None:
    """The user of a job without one, and `by` of a decision, are the peer's."""
    made = (await client.post("/api/jobs", json={"provider": "scripted", "config_name": "dear"})).json()
    assert made["user_id"] == user_name(os.getuid())
    granted = (await client.post(f"/api/approvals/{made['job_id']}/approve")).json()
    assert granted["decided_by"] == user_name(os.getuid())
    assert user_name(2**31 - 5) == f"uid-{2**31 - 5}"
    one, other = trio.socket.socketpair()
    with one, other:
        assert peer_of_socket(one).uid == os.getuid()


async def test_a_reader_that_stops_taking_is_cut_off(
    socket: Path, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is queued for it: its write waits for the deadline, then its connection is closed."""
    cut_off = trio.Event()

    class Telling(streams.BoundedStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            try:
                await super().send_all(data)
            except trio.BrokenResourceError:
                cut_off.set()
                raise

    monkeypatch.setattr(connections, "BoundedStream", Telling)
    monkeypatch.setattr(streams, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr("actors.api.sse.HEARTBEAT", 0.0)
    async with await trio.open_unix_socket(socket) as stream:
        await stream.send_all(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        with trio.fail_after(PATIENCE):
            await cut_off.wait()
        assert b"event: connection" in await closed(stream)


async def test_a_stalled_reader_does_not_keep_the_server_from_stopping(
    runtime: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hypercorn's writes are shielded; ours end with the grace."""
    monkeypatch.setattr(streams, "WRITE_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr(connections, "GRACE", 0.05)
    monkeypatch.setattr("actors.api.sse.HEARTBEAT", 0.0)
    serving = [socket_server(runtime, tmp_path)]
    with trio.fail_after(PATIENCE):
        async with open_supervisor(serving) as supervisor:
            stream = await trio.open_unix_socket(announced(tmp_path))
            await stream.send_all(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.receive_some(1)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await supervisor.stop_child("socket")
            await stream.aclose()


async def test_a_half_sent_body_is_given_up(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.01)
    async with await trio.open_unix_socket(socket) as stream:
        await half_a_body(stream)
        assert b"408" in (await stream.receive_some(4096)).splitlines()[0]


async def test_a_body_beyond_the_bound_is_refused(socket: Path) -> None:
    async with await trio.open_unix_socket(socket) as stream:
        head = b"POST /api/queue/pause HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (maxima.BODY + 1)
        await stream.send_all(head + b" " * (maxima.BODY + 1))
        assert b"413" in (await stream.receive_some(4096)).splitlines()[0]


async def test_connections_beyond_the_bound_are_closed(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    first = await Frames.open(socket)
    async with first.stream, await trio.open_unix_socket(socket) as second:
        assert await closed(second) == b""


def test_the_private_names_relied_on_are_as_they_were() -> None:
    """hypercorn 0.18: a new version of it must be read before it is used."""
    parameters = list(inspect.signature(tcp_server.TCPServer.__init__).parameters)
    assert parameters == ["self", "app", "config", "context", "state", "stream"]
    source = inspect.getsource(tcp_server.TCPServer)
    used = {
        name
        for name in ("do_handshake", "receive_some", "send_all", "send_eof", "aclose", "socket", "max_send_size")
        if f"self.stream.{name}" in source
    }
    assert used == {"do_handshake", "receive_some", "send_all", "send_eof", "aclose", "socket"}
    context = worker_context.WorkerContext(None)
    assert not context.terminated.is_set()
