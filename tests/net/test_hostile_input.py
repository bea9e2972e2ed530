"""What strangers and signed-in clients send to either port: it is counted, and writes no line that is worth sending.

The table below holds one of each kind, the mutations a few hundred of what nobody has thought of.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import attrs
import pytest
import trio
import trio.testing

from actors.access.hosts import AllowedHosts
from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.server import HttpServer
from actors.feed.options import FeedOptions
from actors.feed.server import FeedServer
from actors.kernel import SystemClock
from actors.net.connections import Connections
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, virtual_settings
from supervision import ChildSpec, open_supervisor

PATIENCE = 60.0
HOST = b"Host: localhost\r\n"
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
UPGRADING = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
TOKEN = b"@TOKEN@"
"""Stands for a viewer's good token."""


def get(path: bytes = b"/", *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def upgrade(*headers: bytes, path: bytes = b"/") -> bytes:
    return get(path, *headers)[:-2] + UPGRADING + KEY + b"\r\n"


def frame(opcode: int, content: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    length = min(126, len(content))
    head = bytes([opcode | (0x80 if final else 0), length | (0x80 if masked else 0)])
    if length == 126:
        head += len(content).to_bytes(2, "big")
    return head + (b"\0\0\0\0" if masked else b"") + content


SIGNED_IN = upgrade(b"Authorization: Bearer " + TOKEN)
INPUTS: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"x",
    "every byte": bytes(range(256)) * 8 + b"\r\n\r\n",
    "a greeting of TLS": bytes.fromhex("16030100a5010000a10303") + b"\0" * 64 + b"\r\n\r\n",
    "HTTP/2 from the start": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
    "an upgrade to HTTP/2": get(b"/health", b"Upgrade: h2c", b"HTTP2-Settings: !!") + b"x" * 99,
    "half a head": b"GET /health HT",
    "an endless head": b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000,
    "a thousand headers": get(b"/", *[b"X-%d: x" % n for n in range(1000)]),
    "HTTP/9.9": b"GET / HTTP/9.9\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": get(b"/", b"Host: other"),
    "a foreign host": b"GET /api/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a host that is not text": b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    "a path that is not text": b"GET /%ff%fe\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path up and away": get(b"/static/../../../../etc/passwd"),
    "a zero in a path": get(b"/api/jobs/%00"),
    "a method that is none": b"\0\1\2 / HTTP/1.1\r\n" + HOST + b"\r\n",
    "another method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a negative length": b"POST /api/session HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "two lengths": b"POST /api/session HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length beyond all bounds": b"POST /api/session HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 99999999999999\r\n\r\n{}",
    "a broken chunk": b"POST /api/session HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "half a body": b"POST /api/session HTTP/1.1\r\n" + HOST + b'Content-Length: 99\r\n\r\n{"tok',
    "a sign-in with a wrong token": post(b"/api/session", b'{"token": "gr_x"}'),
    "a sign-in with a wrong code": post(b"/api/session", b'{"code": "x"}'),
    "a sign-in that is not JSON": post(b"/api/session", b"{{{"),
    "a sign-in that is deep": post(b"/api/session", b"[" * 5000),
    "a sign-in that is not text": post(b"/api/session", b'{"token": "\xff"}'),
    "a sign-in with half a surrogate": post(b"/api/session", b'{"token": "\\ud800"}'),
    "a sign-in with a huge token": post(b"/api/session", b'{"token": "' + b"x" * 100_000 + b'"}'),
    "a sign-out of nobody": b"DELETE /api/session HTTP/1.1\r\n" + HOST + b"Cookie: greenroom_session=x\r\n\r\n",
    "no token": get(b"/api/jobs"),
    "a wrong token": get(b"/api/jobs", b"Authorization: Bearer gr_wrong"),
    "a token that is not text": get(b"/api/jobs", b"Authorization: Bearer \xff\xfe"),
    "a token of another kind": get(b"/api/jobs", b"Authorization: Basic Ym86Ym8="),
    "a cookie that is none": get(b"/api/jobs", b"Cookie: ;;;=\xff; greenroom_session=\x01"),
    "a foreign origin": post(b"/api/jobs", b"{}", b"Origin: https://evil.example"),
    "a correlation ID that is none": get(b"/api/jobs", b"X-Correlation-ID: {${jndi:ldap://x}}"),
    "a trace that is none": get(b"/api/jobs", b"traceparent: 00-zz"),
    "a forwarded address that is none": get(b"/api/jobs", b"X-Forwarded-For: \xff,,,"),
    "a delivery of nobody": post(b"/api/webhooks/scripted", b"{}", b"webhook-id: x", b"webhook-signature: v1,x"),
    "a delivery to nobody": post(b"/api/webhooks/nobody", b"{}"),
    "an upgrade and one byte": upgrade(path=b"/api/events") + b"x",
    "an upgrade without a key": get(b"/")[:-2] + UPGRADING + b"\r\n",
    "an upgrade of an old version": get(b"/")[:-2] + UPGRADING + KEY.replace(b"13", b"8") + b"\r\n",
    "an upgrade with a body": upgrade(b"Content-Length: 5") + b"abcde",
    "an upgrade with a wrong token": upgrade(b"Authorization: Bearer gr_wrong"),
    "an upgrade with a token that is not text": upgrade(b"Authorization: Bearer \xff"),
    "an upgrade from a foreign page": upgrade(b"Origin: https://evil.example"),
    "an upgrade with a path that is not text": upgrade(path=b"/\xff"),
    "an upgrade with a subprotocol": upgrade(b"Sec-WebSocket-Protocol: \xff,,", b"Sec-WebSocket-Extensions: ;;;"),
    "a first message that is none": upgrade() + frame(1, b"{"),
    "a first message with a wrong token": upgrade() + frame(1, b'{"type": "authenticate", "token": "gr_x"}'),
    "a message that is not text": SIGNED_IN + frame(1, b"\xff\xfe"),
    "a message that is none": SIGNED_IN + frame(1, b'{"type": "subscribe", "aftr": 1}'),
    "a message of another kind": SIGNED_IN + frame(2, b"\0\1"),
    "a number beyond all bounds": SIGNED_IN + frame(1, b'{"type": "subscribe", "after": 1e400}'),
    "a frame without a mask": SIGNED_IN + frame(1, b"{}", masked=False),
    "a frame of no kind": SIGNED_IN + frame(0xB, b"x"),
    "a part of a ping": SIGNED_IN + frame(9, b"x", final=False),
    "a continuation of nothing": SIGNED_IN + frame(0, b"x"),
    "a close with a code that is none": SIGNED_IN + frame(8, b"\0\1"),
    "a close that is too short": SIGNED_IN + frame(8, b"\0"),
    "a frame beyond all bounds": SIGNED_IN + b"\x81\xff" + b"\xff" * 8,
    "bytes that are no frame": SIGNED_IN + b"\xff" * 64,
}


@attrs.frozen
class Ports:
    """Both servers of one runtime."""

    runtime: RunningRuntime
    token: bytes
    http: int
    feed: int
    server: HttpServer
    connections: tuple[Connections, ...]

    @asynccontextmanager
    async def sent(self, port: int, content: bytes, *, in_two: bool = True) -> AsyncIterator[trio.SocketStream]:
        """A connection on which ``content`` was sent, ``in_two`` pieces where it goes on after its first head.

        It is said in the end that no more comes. The server may have closed it before.
        """
        with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                with suppress(trio.BrokenResourceError):
                    head, blank, rest = content.replace(TOKEN, self.token).partition(b"\r\n\r\n")
                    for piece in (head + blank, rest) if in_two else (head + blank + rest,):
                        await stream.send_all(piece)
                        # or the feed sees its client leave before it asks
                        await trio.testing.wait_all_tasks_blocked(0.005)
                    await stream.send_eof()
                yield stream

    async def send(self, port: int, content: bytes, *, in_two: bool = True) -> bytes:
        """Send ``content`` and read until the server closes; what is answered."""
        answer = b""
        async with self.sent(port, content, in_two=in_two) as stream:
            async for piece in stream:
                answer += piece
        return answer

    def take_time(self) -> None:
        """From now on no client is too slow: what follows is answered, however busy this machine is."""
        self.server._config.keep_alive_timeout = PATIENCE

    async def done(self) -> None:
        """Return once no connection is left."""
        with trio.fail_after(PATIENCE):
            while any(connections._open for connections in self.connections):
                await trio.testing.wait_all_tasks_blocked(0.001)


@pytest.fixture
async def ports(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ports]:
    monkeypatch.setattr("actors.net.connections.GRACE", 0.1)
    monkeypatch.setattr("actors.api.server.HEAD_SECONDS", 0.2)  # a client that has left is noticed then
    monkeypatch.setattr("actors.api.server.LINGER", 0.05)
    monkeypatch.setattr("actors.feed.server.CLOSE_SECONDS", 0.1)  # for clients that answer no close frame
    parts = Parts(in_memory=True, providers=[ScriptedProvider(ScriptedOptions(), ScriptedRemote(SystemClock().now))])
    async with running_runtime(settings=virtual_settings(), parts=parts) as runtime:
        _token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
        options = HttpOptions(requests_per_minute=100_000)
        http = HttpServer(create_app(runtime, options), runtime.client_faults, "http")
        feed = FeedServer(runtime, FeedOptions(port=0), runtime.access.token_peer, AllowedHosts())
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def serve(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            await http.serve([listener.socket], task_status=task_status)

        async with listener, open_supervisor([ChildSpec("http", serve), ChildSpec("feed", feed.run)]):
            port = listener.socket.getsockname()[1]
            yield Ports(runtime, secret.encode(), port, feed.port, http, (http._connections, feed._connections))


def loud(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged at WARNING or above, or with a traceback above DEBUG."""
    return [
        f"{record.levelname} {record.getMessage()}\n{record.exc_text}"
        for record in caplog.records
        if record.levelno >= logging.WARNING or (record.levelno > logging.DEBUG and record.exc_info)
    ]


async def still_served(ports: Ports) -> None:
    ports.take_time()
    answer = await ports.send(ports.http, get(b"/api/session", b"Connection: close", b"Authorization: Bearer " + TOKEN))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"connected"' in await ports.send(ports.feed, SIGNED_IN + frame(8, b"\x03\xe8"))


@pytest.mark.parametrize("name", INPUTS)
async def test_nothing_that_a_client_sends_is_loud(name: str, ports: Ports, caplog: pytest.LogCaptureFixture) -> None:
    """No line at WARNING, no traceback, no line of its own at INFO; and the next client is served."""
    await ports.done()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        for port in (ports.http, ports.feed):
            await ports.send(port, INPUTS[name], in_two=True)
            await ports.send(port, INPUTS[name], in_two=False)
        await ports.done()
        assert loud(caplog) == []
        assert [record.getMessage() for record in caplog.records] == []
    await still_served(ports)


async def test_nothing_that_comes_of_changed_bytes_is_loud(ports: Ports, caplog: pytest.LogCaptureFixture) -> None:
    """The same inputs with bytes changed, left out, doubled and mixed."""
    source = random.Random(14)
    known = list(INPUTS.values())
    with caplog.at_level(logging.INFO):
        for _ in range(150):
            content = bytearray(source.choice(known)[:5000])
            for _change in range(source.randint(1, 4)):
                at = source.randrange(len(content) + 1)
                match source.randrange(4):
                    case 0:
                        content[at : at + 1] = source.randbytes(1)
                    case 1:
                        del content[at : at + source.randint(1, 9)]
                    case 2:
                        content[at:at] = content[at : at + 20]
                    case _:
                        other = source.choice(known)[:5000]
                        content[at:] = other[source.randrange(len(other) + 1) :]
            for port in (ports.http, ports.feed):
                await ports.send(port, bytes(content), in_two=source.random() < 0.5)
        await ports.done()
        assert loud(caplog) == []
        assert sum(len(record.getMessage()) for record in caplog.records) < 1000
    await still_served(ports)


@pytest.mark.parametrize(
    ("port", "name", "reason"),
    [
        ("http", "no token", "status 401"), ("http", "a foreign host", "status 421"),
        ("http", "a foreign origin", "status 403"), ("http", "a sign-in with a wrong token", "status 401"),
        ("http", "an upgrade and one byte", "broken protocol"), ("http", "every byte", "no request"),
        ("feed", "one byte", "no handshake"), ("feed", "an upgrade with a wrong token", "status 401"),
        ("feed", "a message that is none", "closed 1007"),
        ("feed", "a first message with a wrong token", "closed 1008"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_counted(ports: Ports, port: str, name: str, reason: str) -> None:
    if reason != "no request":  # which is known when the time for one is over
        ports.take_time()
    async with ports.sent(ports.http if port == "http" else ports.feed, INPUTS[name], in_two=port == "feed"):
        while not ports.runtime.client_faults.counts[port, reason]:
            await trio.testing.wait_all_tasks_blocked(0.001)
    line = f'greenroom_client_faults_total{{port="{port}",reason="{reason}"}} '
    assert line in (await ports.runtime.metrics.scrape()).decode()


async def test_a_fault_of_our_own_is_an_error_with_its_traceback(
    ports: Ports, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both ports: a bug in a handler is not taken for a client's fault."""

    def broken(*_args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("actors.api.session.session_document", broken)
    monkeypatch.setattr("actors.feed.server.FeedServer._counted", broken)
    ports.take_time()
    await ports.send(ports.http, get(b"/api/session", b"Connection: close", b"Authorization: Bearer " + TOKEN))
    await ports.send(ports.feed, SIGNED_IN)
    await ports.done()
    failed = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert sorted(record.getMessage() for record in failed) == ["A connection failed", "A request failed"]
    assert all(record.exc_info and "a bug" in caplog.text for record in failed)
