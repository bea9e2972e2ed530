"""HTTP on the supervisor's Unix socket: Hypercorn's connection handling inside a guard of ours.

Hypercorn 0.18's trio worker is used one connection at a time, for three of its faults: what one connection raises would
end the whole server (one byte after a WebSocket upgrade is enough); its writes are shielded and wait for ever, so that
a client which stops reading keeps the server from stopping; and it would unlink and bind a socket that another
supervisor serves. Private names relied on: ``TCPServer(app, config, context, state, stream).run()``, which uses of its
stream ``socket``, ``receive_some``, ``send_all``, ``send_eof`` and ``aclose``, and ``WorkerContext(None).terminated``.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState

from actors.api.app import create_app
from actors.api.peers import peer_of_socket
from actors.api.socket_file import announce, socket_path
from actors.control import Runtime
from logconf import clear_context, get_logger
from supervision import ChildSpec

WRITE_SECONDS = 10.0
"""How long one write may wait for a reader before that reader is cut off."""
GRACE = 3.0
"""Seconds that requests in flight have when the server stops; inside the supervisor's 5 for a worker."""
MOST_CONNECTIONS = 512
"""Well inside the usual limit of 1,024 descriptors."""
_BACKLOG = 128
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OUT_OF_SECONDS = 0.1
_logger = get_logger("actors.api.server")


def socket_edge(runtime: Runtime, state_dir: Path) -> ChildSpec:
    """The child that serves ``runtime`` on the socket of ``state_dir``, for ``Parts.edges``."""
    return ChildSpec("socket", UnixServer(runtime, state_dir).run)


class UnixServer:
    """Serves one runtime on the Unix socket of its state directory, whose lock the caller holds (C3)."""

    def __init__(self, runtime: Runtime, state_dir: Path) -> None:
        self._app = ASGIWrapper(create_app(runtime))  # type: ignore[arg-type]
        self._state_dir = state_dir
        self._config = Config()
        self._config.accesslog = None
        self._config.errorlog = _logger
        self._config.include_server_header = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled, then let requests in flight end within :data:`GRACE`."""
        with bound(self._state_dir) as listener:
            context = WorkerContext(None)
            open_streams: set[_BoundedStream] = set()
            async with _connections(context, open_streams) as (nursery, ending):
                task_status.started()
                while True:
                    stream = await _accept(listener)
                    if len(open_streams) >= MOST_CONNECTIONS:
                        stream.socket.close()
                        continue
                    bounded = _BoundedStream(stream)
                    open_streams.add(bounded)
                    nursery.start_soon(self._serve, bounded, context, ending, open_streams)

    async def _serve(
        self, stream: _BoundedStream, context: WorkerContext, ending: trio.Event, open_streams: set[_BoundedStream]
    ) -> None:
        """A border: whatever one connection raises ends that connection alone."""
        clear_context()
        try:
            state = LifespanState({"peer": peer_of_socket(stream.socket), "ending": ending})
            await TCPServer(self._app, self._config, context, ConnectionState(state), stream).run()  # type: ignore[arg-type]
        except* Exception as group:  # a fault of the server library or a client's nonsense
            _logger.warning("A connection failed", exc_info=group)
        finally:
            open_streams.discard(stream)
            stream.socket.close()
        await trio.lowlevel.checkpoint()


class _BoundedStream:
    """A connection whose writes end: with its reader, or with the deadline."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket = stream.socket
        self.receive_some = stream.receive_some
        self.send_eof = stream.send_eof
        self.aclose = stream.aclose
        self._latest = math.inf
        self._writing: trio.CancelScope | None = None

    async def send_all(self, data: bytes) -> None:
        """Write within :data:`WRITE_SECONDS`. Raises ``trio.BrokenResourceError`` when the reader does not take it."""
        deadline = min(trio.current_time() + WRITE_SECONDS, self._latest)
        with trio.CancelScope(deadline=deadline) as self._writing:
            await self._stream.send_all(data)
        if self._writing.cancelled_caught:
            self.socket.close()
            raise trio.BrokenResourceError("the reader did not take what was written")

    def hurry(self, latest: float) -> None:
        """Let no write wait beyond ``latest``, the one under way included."""
        self._latest = latest
        if self._writing is not None:
            self._writing.deadline = min(self._writing.deadline, latest)


@asynccontextmanager
async def _connections(
    context: WorkerContext, open_streams: set[_BoundedStream]
) -> AsyncIterator[tuple[trio.Nursery, trio.Event]]:
    """A nursery for connections that outlives the block, its cancellation too, by :data:`GRACE` at most.

    The event beside it is set when that time begins: idle connections close, streams say goodbye.
    """
    ending = trio.Event()

    async def hold(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as connections:
                task_status.started(connections)
                await ending.wait()
                await context.terminated.set()
                scope.deadline = trio.current_time() + GRACE
                for stream in open_streams:
                    stream.hurry(scope.deadline)

    async with trio.open_nursery() as keeper:
        connections = await keeper.start(hold)
        try:
            yield connections, ending
        finally:
            ending.set()


async def _accept(listener: trio.socket.SocketType) -> trio.SocketStream:
    """The next connection; clients that left before it and a want of descriptors are waited out."""
    while True:
        try:
            connection, _address = await listener.accept()
            return trio.SocketStream(connection)
        except OSError as error:
            if error.errno not in _OUT_OF and error.errno != errno.ECONNABORTED:
                raise
            _logger.warning("Cannot accept a connection: %s", error.strerror)
        await trio.sleep(_OUT_OF_SECONDS)


@contextmanager
def bound(state_dir: Path) -> Iterator[trio.socket.SocketType]:
    """The listening socket of a state directory, private to its user; whatever lay at its path is stale by the lock."""
    path = socket_path(state_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(path.parent))
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "is no socket", str(path))
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        own.bind(str(path))
        try:
            path.chmod(0o600)  # before listen(): nobody can connect yet
            own.listen(_BACKLOG)
            announce(state_dir, path)
            with trio.socket.from_stdlib_socket(own.dup()) as listener:
                yield listener
        finally:
            path.unlink(missing_ok=True)
