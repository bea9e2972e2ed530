"""The stream of events to a client that is not ours, beside readers that never read, and over a kill."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import httpx
import pytest

from tests.api.supervised import Served, serving

pytestmark = [
    pytest.mark.parts,
    pytest.mark.skipif(
        shutil.which("curl") is None, reason="curl is not installed: apt-get install curl, as .ci/run does"
    ),
]
EVENTS = 10_000
BATCH = 500
STALLED = 20
CONFIG = """
http: {port: 0, requests_per_minute: 1000000, max_streams_per_token: 50}
providers: {local: null, there: {kind: scripted}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "app.yaml"
    path.write_text(CONFIG)
    return path


@contextmanager
def followed(served: Served, after: int) -> Iterator[Iterator[int]]:
    """The numbers of the events that curl is told of, as they come."""
    command = [
        "curl", "--silent", "--no-buffer", "--fail", "--max-time", "200", "--header", f"Last-Event-ID: {after}",
        "--header", f"Authorization: Bearer {served.token}", f"{served.address}/api/events",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        found: SimpleQueue[int] = SimpleQueue()
        reading = Thread(target=read_all, args=(curl.stdout, found))
        try:
            assert next(curl.stdout) == f"id: {after}\n"
            assert next(curl.stdout) == "event: connection\n"
            reading.start()
            yield iter(lambda: found.get(timeout=60), None)
        finally:
            curl.kill()
            if reading.ident is not None:
                reading.join()


def read_all(lines: Iterable[str], found: SimpleQueue[int]) -> None:
    """Read on while the test does other things: who does not read is cut off."""
    for line in lines:
        if line.startswith("id: "):
            found.put(int(line.removeprefix("id: ")))


def stalled(served: Served) -> socket.socket:
    """A reader that asks for the stream from the beginning and takes nothing of it."""
    host, port = served.address.removeprefix("http://").split(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(60)
    reader.connect((host, int(port)))
    head = f"GET /api/events?after=0 HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {served.token}\r\n\r\n"
    reader.sendall(head.encode())
    return reader


def submit(served: Served, number: int) -> None:
    """So many jobs that wait for an approval: one event each, of a kilobyte, so that no kernel holds them all."""
    job = {"provider": "there", "requires_approval": "x" * 1000}
    for _ in range(number // BATCH):
        served.ask("POST", "/api/jobs", json=[job] * BATCH)


def test_beside_twenty_readers_that_never_read_one_is_told_of_everything_in_order(config: Path, tmp_path: Path) -> None:
    """10,000 events; memory is bounded; who does not read is cut off and has its place to resume."""
    with serving(config, tmp_path / "state") as served, ExitStack() as readers:
        submit(served, BATCH)
        before = served.memory()
        asleep = [readers.enter_context(stalled(served)) for _ in range(STALLED)]
        with followed(served, 0) as numbers:
            submit(served, EVENTS)
            seen = [next(numbers) for _ in range(BATCH + EVENTS)]
        assert seen == list(range(1, 1 + BATCH + EVENTS))
        assert served.memory() - before < 60 << 20
        while streams(served):  # until the supervisor has given its readers up: nothing else tells
            pass
        for reader in asleep:
            told = cut_off(reader)
            assert told.startswith(b"HTTP/1.1 200")
            assert b"\nid: 1\n" in told
        assert served.ask("GET", "/health")["status"] == "ok"


def streams(served: Served) -> int:
    """How many streams it has open."""
    metrics = httpx.get(f"{served.address}/metrics", headers=served.headers).text
    (line,) = [line for line in metrics.splitlines() if line.startswith("greenroom_event_subscribers ")]
    return int(float(line.split()[1]))


def cut_off(reader: socket.socket) -> bytes:
    """What had been sent to it when it was given up."""
    told = bytearray()
    try:
        while piece := reader.recv(1 << 16):
            told += piece
    except ConnectionResetError:
        pass
    return bytes(told)


def test_after_a_kill_a_reader_goes_on_without_loss_or_doubles(config: Path, tmp_path: Path) -> None:
    """Each turn the supervisor is killed while the stream is read; the last id is what the next one begins after."""
    seen: list[int] = []
    for _turn in range(3):
        killed = serving(config, tmp_path / "state", kill=True)
        with killed as served, followed(served, seen[-1] if seen else 0) as numbers:
            submit(served, BATCH)
            seen += [next(numbers) for _ in range(BATCH // 2)]
    with serving(config, tmp_path / "state") as served:
        last = served.ask("GET", "/api/queue/stats")["counts"]["blocked"]
        with followed(served, seen[-1]) as numbers:
            while seen[-1] < last:
                seen.append(next(numbers))
    assert seen == list(range(1, 3 * BATCH + 1))
