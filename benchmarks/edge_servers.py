"""The servers that ``bench_edge.py`` measures, each a process of its own: ``edge_servers.py KIND PATH``.

Each prints its address and a job's ID, then follows what it reads from stdin: a number of events to cause.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import trio

TICK = os.sysconf("SC_CLK_TCK")
EVENT = (
    b'{"type":"limits_changed","job_id":null,"limit":"total","value":5,"by":null,"seq":41,'
    b'"time":"2024-01-15T10:30:00.000Z","correlation_id":"0123456789abcdef0123456789abcdef"}'
)


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
    command = [sys.executable, __file__, *words]
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


if __name__ == "__main__":
    which, where = sys.argv[1], Path(sys.argv[2])
    if which == "bare":
        trio.run(serve_bare_writes)
    elif which == "route":
        trio.run(serve_bare_route, where)
    else:
        trio.run(serve_runtime, which, where)
