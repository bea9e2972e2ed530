"""A real supervisor on TCP under load from people without a token; figures are printed, and bounds are generous."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import attrs
import httpx
import pytest
import trio

from actors.api.tcp import TOKEN

pytestmark = pytest.mark.parts

PATIENCE = 60.0
_SERVED = re.compile(rb"HTTP is served at (http://127\.0\.0\.1:([0-9]+)/)")


@attrs.frozen
class Supervisor:
    """A process that runs `python -m actors` on a state directory of its own."""

    process: trio.Process
    address: str
    port: int
    token: str

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.address, headers={"Authorization": f"Bearer {self.token}"}, timeout=30.0)

    def resident(self) -> int:
        """Bytes of memory that the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+([0-9]+) kB", status)[1]) << 10  # type: ignore[index]


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    config = tmp_path / "greenroom.yaml"
    config.write_text("http: {port: 0, requests_per_minute: 1000000}\n")
    environ = {**os.environ, "GREENROOM_HOME": str(tmp_path / "state")}
    command = [sys.executable, "-m", "actors", "run", "--config", str(config)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ)
    assert process.stdout is not None
    seen = b""
    try:
        with trio.fail_after(PATIENCE):
            while b"Supervisor is ready" not in seen:
                piece = await process.stdout.receive_some()
                assert piece, seen
                seen += piece
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read_on, process.stdout)
            found = _SERVED.search(seen)
            assert found is not None
            token = (tmp_path / "state" / TOKEN).read_text().strip()
            yield Supervisor(process, found[1].decode(), int(found[2]), token)
            nursery.cancel_scope.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


async def _read_on(log: trio.abc.ReceiveStream) -> None:
    while await log.receive_some():
        pass


async def latencies(http: httpx.AsyncClient, number: int) -> list[float]:
    """Seconds that ordinary requests took, the longest last."""
    taken = []
    for _ in range(number):
        before = trio.current_time()
        assert (await http.get("/api/jobs")).status_code == 200
        taken.append(trio.current_time() - before)
    return sorted(taken)


async def test_a_body_of_300_mb_is_refused_early(supervisor: Supervisor) -> None:
    """It is answered from its head, hardly any of it is read, and none of it is kept."""
    async with supervisor.client() as http:
        await latencies(http, 20)
        before, sent = supervisor.resident(), 0
        async with await trio.open_tcp_stream("127.0.0.1", supervisor.port) as stream:
            head = f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {supervisor.token}\r\n"
            await stream.send_all(f"{head}Content-Length: {300 << 20}\r\n\r\n".encode())
            with trio.fail_after(PATIENCE):
                assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 413")
                try:
                    while sent < 300 << 20:
                        await stream.send_all(b" " * (1 << 20))
                        sent += 1 << 20
                except trio.BrokenResourceError:
                    pass
        grown = supervisor.resident() - before
        print(f"300 MB body: 413, connection closed after {sent >> 20} MiB were sent, memory +{grown / 1e6:.1f} MB")
        assert grown < 50_000_000
        assert (await http.get("/api/session")).status_code == 200


async def test_500_slow_heads_keep_nobody_out(supervisor: Supervisor) -> None:
    """They are bounded, closed, and cost little; who asks properly is answered meanwhile."""
    streams: list[trio.SocketStream] = []

    async def dribble() -> None:
        """A byte of each head, again and again; a connection that was closed is opened anew."""
        while True:
            for index, stream in enumerate(streams):
                try:
                    await stream.send_all(b"x")
                except trio.BrokenResourceError:
                    await stream.aclose()
                    streams[index] = await _slow(supervisor.port)
            await trio.sleep(0.05)

    async with supervisor.client() as http:
        usual = await latencies(http, 100)
        before = supervisor.resident()
        async with trio.open_nursery() as nursery:
            streams.extend([await _slow(supervisor.port) for _ in range(500)])
            nursery.start_soon(dribble)
            under = await latencies(http, 300)
            connections = len(os.listdir(f"/proc/{supervisor.process.pid}/fd"))  # noqa: PTH208 - a name each is enough
            grown = supervisor.resident() - before
            nursery.cancel_scope.cancel()
        for stream in streams:
            await trio.aclose_forcefully(stream)
    p99 = under[int(len(under) * 0.99)]
    print(f"500 slow heads: p99 {p99 * 1e3:.1f} ms (median before {usual[50] * 1e3:.1f} ms), ", end="")
    print(f"{connections} descriptors, memory +{grown / 1e6:.1f} MB")
    assert p99 < 5.0
    assert connections < 300
    assert grown < 50_000_000


async def _slow(port: int) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    with suppress(trio.BrokenResourceError):
        await stream.send_all(b"GET /api/jobs HTTP/1.1\r\nX: ")
    return stream


async def test_sigterm_with_stalled_clients_ends_within_the_grace(supervisor: Supervisor) -> None:
    """Half heads, half bodies, idle connections and readers of streams that do not read."""
    waiting = [await trio.open_tcp_stream("127.0.0.1", supervisor.port) for _ in range(20)]
    who = f"Host: localhost\r\nAuthorization: Bearer {supervisor.token}\r\n"
    for index, stream in enumerate(waiting):
        request = [
            "GET /api/jobs HT",
            f"POST /api/jobs HTTP/1.1\r\n{who}Content-Length: 99\r\n\r\n[",
            f"GET /api/session HTTP/1.1\r\n{who}\r\n",
            f"GET /api/events?after=0 HTTP/1.1\r\n{who}\r\n",
        ][index % 4]
        await stream.send_all(request.encode())
    async with supervisor.client() as http:
        assert (await http.get("/api/session")).status_code == 200
        before = trio.current_time()
        os.kill(supervisor.process.pid, signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            status = await supervisor.process.wait()
    taken = trio.current_time() - before
    print(f"SIGTERM with 20 stalled clients: exit status {status} after {taken:.2f} s")
    assert status == 0
    assert taken < 30.0
    for stream in waiting:
        await trio.aclose_forcefully(stream)
