"""What the servers cost: a job's document over HTTP, and one event sent to a hundred clients by SSE and by the feed.

    python benchmarks/bench_edge.py [--requests 900] [--readers 100] [--events 50] [--rounds 3] [--json]

Every server is its own process, whose CPU time is read from /proc; the client here does as little as possible. The
baseline of a request is Hypercorn with one Starlette route that returns the same bytes; that of an event are bare
writes of the same bytes to as many sockets. Each event is one commit on a real SQLite file; its cost is part of the
figures of an event, divided by the number of readers. All of them run in turn in the same run.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import trio
from common import Figure, arguments, in_turn, ratio, report

TICK = os.sysconf("SC_CLK_TCK")
MARK = b'"limits_changed"'
EVENT = (
    b'{"type":"limits_changed","job_id":null,"limit":"total","value":5,"by":null,"seq":41,'
    b'"time":"2024-01-15T10:30:00.000Z","correlation_id":"0123456789abcdef0123456789abcdef"}'
)
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Authorization: Bearer bench\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SUBSCRIBE = b"\x81\x94\x00\x00\x00\x00" + b'{"type":"subscribe"}'
SSE = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
GREETINGS: dict[str, list[tuple[bytes, bytes]]] = {
    "sse": [(SSE, b'"connected"')],
    "feed": [(HANDSHAKE, b'"connected"'), (SUBSCRIBE, b'"subscribed"')],
    "bare": [],
}
"""What a reader sends first, and the answer that it waits for."""


# The servers, each in its own process: they print their address, then follow the commands on stdin.


async def serve_runtime(kind: str, state_dir: Path) -> None:
    """Serve the supervisor's Unix socket (``http``, ``sse``) or the feed."""
    from actors.access.hosts import AllowedHosts
    from actors.access.peer import Peer
    from actors.api.socket_file import announced
    from actors.api.unix import serve_socket
    from actors.feed.options import FeedOptions
    from actors.feed.server import FeedServer
    from actors.jobs.records import JobRequest
    from actors.providers.scripted import ScriptedOptions, ScriptedProvider
    from actors.runtime import Parts, open_runtime
    from actors.settings import Settings

    async def authenticate(_token: str) -> Peer | None:
        await trio.lowlevel.checkpoint()
        return Peer(None, "bench", "admin", via="token")

    parts = Parts(providers=[ScriptedProvider(ScriptedOptions())])
    async with open_runtime(Settings.default(state_dir), parts) as runtime, trio.open_nursery() as nursery:
        job = await runtime.submit(JobRequest(provider="scripted", user_id="ana", spec={"duration": 3600}))
        await trio.sleep(1)  # until it runs
        if kind == "feed":
            feed = FeedServer(
                runtime,
                FeedOptions(port=0, max_connections=1000, max_per_address=1000, max_per_user=1000),
                authenticate,
                AllowedHosts(),
            )
            await nursery.start(feed.run)
            where = f"{feed.port}"
        else:
            await nursery.start(serve_socket, runtime, state_dir)
            where = str(announced(state_dir))
        print(where, job.job_id, flush=True)
        while (events := await trio.to_thread.run_sync(sys.stdin.readline)).strip():
            for number in range(int(events)):
                await runtime.queue.set_limit("total", 5 + number % 2)
        nursery.cancel_scope.cancel()


async def serve_bare_route(path: Path) -> None:
    """Hypercorn and Starlette without Greenroom: one route, the bytes of a job."""
    import hypercorn.trio
    from hypercorn.config import Config
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    body = path.with_suffix(".json").read_bytes()

    async def answer(_request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        return Response(body, media_type="application/json")

    config = Config()
    config.bind = [f"unix:{path}"]
    config.errorlog = None
    async with trio.open_nursery() as nursery:
        app = Starlette(routes=[Route("/api/jobs/{job_id}", answer)])
        await nursery.start(hypercorn.trio.serve, app, config)
        print(path, "any", flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        nursery.cancel_scope.cancel()


async def serve_bare_writes() -> None:
    """Write one event's bytes to each connected socket."""
    streams: list[trio.SocketStream] = []

    async def keep(stream: trio.SocketStream) -> None:
        streams.append(stream)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, keep, listeners)
        print(listeners[0].socket.getsockname()[1], "any", flush=True)
        while (events := await trio.to_thread.run_sync(sys.stdin.readline)).strip():
            for _ in range(int(events)):
                for stream in streams:
                    await stream.send_all(EVENT)
        nursery.cancel_scope.cancel()


# The client.


@attrs.define
class Server:
    """A server process. ``cpu``: seconds since its start."""

    process: subprocess.Popen[str]
    where: str
    job_id: str

    @property
    def cpu(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def emit(self, events: int) -> None:
        """Cause this number of events."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{events}\n")
        self.process.stdin.flush()

    def connect(self) -> socket.socket:
        """A connection: TCP to a port number, else to a Unix socket."""
        if self.where.isdigit():
            return socket.create_connection(("127.0.0.1", int(self.where)))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.where)
        return connection


@contextmanager
def served(*words: str) -> Iterator[Server]:
    """A server that runs during the block."""
    command = [sys.executable, __file__, "--serve", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            where, job_id = process.stdout.readline().split()
            yield Server(process, where, job_id)
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)
        finally:
            process.kill()


def asking(server: Server, requests: int, spent: list[float]) -> Callable[[], None]:
    """Request the job's document on one connection per round (a server closes it after 1,000 requests)."""
    ask = f"GET /api/jobs/{server.job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def run() -> None:
        before = server.cpu
        with server.connect() as connection:
            for _ in range(requests):
                connection.sendall(ask)
                answer(connection)
        spent.append((server.cpu - before) / requests * 1e6)

    return run


def answer(connection: socket.socket) -> bytes:
    """One answer's body."""
    received = connection.recv(65_536)
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return body


def reading(server: Server, kind: str, readers: int, events: int, spent: list[float]) -> Callable[[], None]:
    """Cause events and read until every reader has all of them."""
    connections = [server.connect() for _ in range(readers)]
    for connection in connections:
        for said, answered in GREETINGS[kind]:
            connection.sendall(said)
            received = b""
            while answered not in received:
                received += connection.recv(65_536)
    time.sleep(0.5)  # until the last is accepted

    def run() -> None:
        before = server.cpu
        server.emit(events)
        missing = dict.fromkeys(connections, events * len(MARK))
        tails = dict.fromkeys(connections, b"")
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection, selectors.EVENT_READ)
            while missing:
                for key, _mask in selector.select():
                    connection = key.fileobj
                    assert isinstance(connection, socket.socket)
                    received = tails[connection] + connection.recv(65_536)
                    found = received.count(MARK)
                    tails[connection] = received[received.rfind(MARK) + len(MARK) :] if found else received
                    missing[connection] -= found * len(MARK)
                    if missing[connection] <= 0:
                        selector.unregister(connection)
                        del missing[connection]
        spent.append((server.cpu - before) / events * 1e6)

    return run


async def main() -> None:
    """Run all measurements."""
    options = arguments(
        __doc__, requests=(900, "requests of a round"), readers=(100, "readers"), events=(50, "events of a round"),
        rounds=(3, "rounds"),
    )  # fmt: skip
    cpu: dict[str, list[float]] = {name: [] for name in ("http", "route", "sse", "feed", "bare")}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        place = Path(temporary)
        ours = stack.enter_context(served("http", str(place / "http")))
        with ours.connect() as once:
            once.sendall(f"GET /api/jobs/{ours.job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            (place / "route.json").write_bytes(answer(once))
        bare_route = stack.enter_context(served("route", str(place / "route")))
        contenders = {
            "http": asking(ours, options.requests, cpu["http"]),
            "route": asking(bare_route, options.requests, cpu["route"]),
        }
        asked = await in_turn(options.rounds, contenders)
        stack.close()
        streams = {name: stack.enter_context(served(name, str(place / name))) for name in ("sse", "feed", "bare")}
        events_taken = await in_turn(
            options.rounds,
            {
                name: reading(one, name, options.readers, options.events, cpu[name])
                for name, one in streams.items()
            },
        )  # fmt: skip
        report(
            figures(asked, events_taken, cpu, options.requests, options.readers, options.events), as_json=options.json
        )


def figures(
    asked: dict[str, list[float]],
    events_taken: dict[str, list[float]],
    cpu: dict[str, list[float]],
    requests: int,
    readers: int,
    events: int,
) -> list[Figure]:
    """The lines of the report: medians, and ratios within a round."""

    def middle(values: list[float]) -> float:
        return sorted(values)[len(values) // 2]

    rate = requests / middle(asked["http"])
    found = [
        Figure("GET /api/jobs/{id}, one connection", rate, "/s", "a bare route", ratio(asked["route"], asked["http"])),
        Figure("  CPU of a request", middle(cpu["http"]), "us", "a bare route", ratio(cpu["http"], cpu["route"])),
    ]
    for name, title in (("sse", "SSE"), ("feed", "feed")):
        each = middle(events_taken[name]) / events * 1e3
        label = f"an event to {readers} readers, {title}"
        found += [
            Figure(label, each, "ms", "bare writes", ratio(events_taken[name], events_taken["bare"])),
            Figure("  CPU of an event", middle(cpu[name]), "us", "bare writes", ratio(cpu[name], cpu["bare"])),
        ]
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        which, where = sys.argv[2], Path(sys.argv[3])
        if which == "bare":
            trio.run(serve_bare_writes)
        elif which == "route":
            trio.run(serve_bare_route, where)
        else:
            trio.run(serve_runtime, which, where)
    else:
        trio.run(main)
