"""Clients that are not ours: PyPI's websockets, npm's wscat, and many that never read beside one that does."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket

import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as websockets_connect

from actors.access.hosts import AllowedHosts
from actors.feed.options import FeedOptions
from actors.feed.server import FeedServer
from actors.runtime import RunningRuntime
from actors.testing import request
from supervision import ChildSpec, Supervisor

WSCAT = os.environ.get("GREENROOM_TEST_WSCAT") or shutil.which("wscat")
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Authorization: Bearer boss\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
#: {"type":"subscribe"} as a masked text frame whose mask is zero.
SUBSCRIBE = b"\x81\x94\x00\x00\x00\x00" + b'{"type":"subscribe"}'


@pytest.mark.parametrize("grace", [60.0])
async def test_websockets_of_pypi(runtime: RunningRuntime, feed: FeedServer, supervisor: Supervisor) -> None:
    """Signs in by header, resumes, answers pings, is told goodbye with 1001."""
    await runtime.queue.set_limit("total", 5)
    seen: list[dict[str, object]] = []
    ready = trio.Event()

    def talk() -> int | None:
        headers = {"Authorization": "Bearer boss"}
        with websockets_connect(f"ws://127.0.0.1:{feed.port}/", additional_headers=headers) as client:
            client.send(json.dumps({"type": "subscribe", "after": 0}))
            with contextlib.suppress(ConnectionClosed):
                while True:
                    seen.append(json.loads(client.recv(60)))
                    if seen[-1]["type"] == "limits_changed":
                        trio.from_thread.run_sync(ready.set)
            return client.close_code

    async with trio.open_nursery() as nursery:
        codes: list[int | None] = []

        async def run() -> None:
            codes.append(await trio.to_thread.run_sync(talk))

        nursery.start_soon(run)
        await ready.wait()
        await supervisor.stop_child("feed")
    assert codes == [1001]
    assert [message["type"] for message in seen] == ["connected", "subscribed", "limits_changed"]


@pytest.mark.parts
@pytest.mark.skipif(WSCAT is None, reason="wscat is missing: .ci/run installs it (npm install wscat)")
async def test_wscat_of_npm(runtime: RunningRuntime, feed: FeedServer) -> None:
    await runtime.queue.set_limit("total", 5)
    assert WSCAT is not None
    command = [
        WSCAT, "--connect", f"ws://127.0.0.1:{feed.port}/", "-H", "Authorization: Bearer boss",
        "-x", '{"type":"subscribe","after":0}', "-w", "5",
    ]  # fmt: skip
    open_end, stdin = socket.socketpair()  # it leaves when its stdin ends
    with open_end, stdin:
        done = await trio.run_process(command, stdin=stdin, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b'"limits_changed"' in done.stdout


@pytest.fixture
async def open_feed(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: object, monkeypatch: pytest.MonkeyPatch
) -> FeedServer:
    monkeypatch.setattr("actors.net.connections.GRACE", 1.0)
    server = FeedServer(runtime, FeedOptions(port=0, max_per_user=50), tokens.peer_of, AllowedHosts())  # type: ignore[attr-defined]
    await supervisor.start_child(ChildSpec("feed", server.run))
    return server


@pytest.mark.parts
async def test_twenty_that_never_read_beside_one_that_does(runtime: RunningRuntime, open_feed: FeedServer) -> None:
    """10,000 events: that one gets all of them in order, and what the others cost is bounded."""
    stalled = []
    for _ in range(20):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", open_feed.port))
        for said, answered in ((UPGRADE, b'"connected"'), (SUBSCRIBE, b'"subscribed"')):
            one.sendall(said)
            received = b""
            while answered not in received:
                received += await trio.to_thread.run_sync(one.recv, 4096)
        stalled.append(one)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    numbers: list[int] = []
    ready = trio.Event()

    def read() -> None:
        headers = {"Authorization": "Bearer boss"}
        url = f"ws://127.0.0.1:{open_feed.port}/"
        with websockets_connect(url, additional_headers=headers, compression=None) as client:
            client.send(json.dumps({"type": "subscribe", "types": ["job_queued"]}))
            client.recv(60)
            client.recv(60)
            trio.from_thread.run_sync(ready.set)
            while len(numbers) < 10_000:
                numbers.append(json.loads(client.recv(60))["seq"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, read)
        await ready.wait()
        await runtime.queue.pause("scripted", "so that only submissions are told of")
        for _ in range(20):
            await runtime.jobs.submit_many([request(duration=3600) for _ in range(500)])
    assert len(set(numbers)) == 10_000
    assert numbers == sorted(numbers)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB; 10,000 jobs in memory, too
    for one in stalled:
        one.close()
