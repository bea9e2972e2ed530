"""What the servers cost: a job's document over HTTP, and one event sent to a hundred clients by SSE and by the feed.

    python benchmarks/bench_edge.py [--requests 900] [--readers 100] [--events 50] [--rounds 3] [--json]

Every server is its own process, whose CPU time is read from /proc; the client here does as little as possible. The
baseline of a request is Hypercorn with one Starlette route that returns the same bytes; that of an event are bare
writes of the same bytes to as many sockets. Each event is one commit on a real SQLite file; its cost is part of the
figures of an event, divided by the number of readers. All of them run in turn in the same run.
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import trio
from common import Figure, arguments, in_turn, ratio, report
from edge_servers import Server, served

MARK = b'"limits_changed"'
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
    trio.run(main)
