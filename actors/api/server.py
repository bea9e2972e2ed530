"""The guard around Hypercorn's connection handling, for the Unix socket and for TCP.

Hypercorn 0.18's trio worker is used one connection at a time, for four of its faults: what one connection raises would
end the whole server (one byte after a WebSocket upgrade is enough); its writes are shielded and wait for ever, so that
a client which stops reading keeps the server from stopping; it would unlink and bind a socket that another supervisor
serves; and it turns a connection into HTTP/2 on a client's word, whose streams no bound here would count. Private names
relied on: ``TCPServer(app, config, context, state, stream).run()``, which uses of its stream ``socket``,
``receive_some``, ``send_all``, ``send_eof`` and ``aclose``, sets its own ``protocol`` once, and whose
``protocol.protocol._check_protocol`` decides about HTTP/2; and ``WorkerContext(None).terminated``.
"""

from __future__ import annotations

import errno
import math
import ssl
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState

from actors.api.exchange import Exchange
from actors.api.peers import peer_of_socket
from actors.connections import lingering
from logconf import clear_context, get_logger
from logconf.asgi import App

WRITE_SECONDS = 10.0
"""How long one write may wait for a reader before that reader is cut off."""
HEAD_SECONDS = 5.0
"""For a request's head, counted from the connection or the answer before; and so for a connection that is idle."""
HANDSHAKE_SECONDS = 10.0
GRACE = 3.0
"""Seconds that requests in flight have when the server stops; inside the supervisor's 5 for a worker."""
MOST_CONNECTIONS = 512
"""Well inside the usual limit of 1,024 descriptors."""
BACKLOG = 128
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OUT_OF_SECONDS = 0.1
_logger = get_logger("actors.api.server")


class Guard:
    """Serves ``app`` to whoever connects to its listeners, within bounds.

    ``most``: connections in all (None: :data:`MOST_CONNECTIONS`); ``per_address``: of one address, None: no bound.
    Where one is reached a connection without a request gives way; where all are busy the new one is
    closed. ``tls``: what connections are encrypted with.
    """

    def __init__(
        self, app: App, *, most: int | None = None, per_address: int | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._app = app
        self._most = most
        self._per_address = per_address
        self._tls = tls
        self._open: dict[_BoundedStream, None] = {}
        self._config = Config()
        self._config.accesslog = None
        self._config.errorlog = _logger
        self._config.include_server_header = False
        self._config.keep_alive_timeout = HEAD_SECONDS
        self._config.ssl_handshake_timeout = HANDSHAKE_SECONDS

    async def serve(
        self,
        listeners: list[trio.socket.SocketType],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled, then let requests in flight end within :data:`GRACE`."""
        context = WorkerContext(None)

        async def hurry(deadline: float) -> None:
            await context.terminated.set()
            for stream in self._open:
                stream.hurry(deadline)

        async with lingering(GRACE, hurry) as (connections, ending), trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(self._take_from, listener, connections, context, ending)
            task_status.started()

    async def _take_from(
        self, listener: trio.socket.SocketType, connections: trio.Nursery, context: WorkerContext, ending: trio.Event
    ) -> None:
        while True:
            connection, address = await _accept(listener)
            bounded = _BoundedStream(trio.SocketStream(connection), address)
            if not self._make_room(address):
                connection.close()
                continue
            self._open[bounded] = None
            connections.start_soon(self._serve, bounded, context, ending)

    def _make_room(self, address: str) -> bool:
        """Whether one more may be open, after somebody who keeps us waiting gave way where that was needed."""
        most = MOST_CONNECTIONS if self._most is None else self._most
        are_open = [stream for stream in self._open if stream.is_open]
        if self._per_address is not None and address:
            of_address = [stream for stream in are_open if stream.address == address]
            if len(of_address) >= self._per_address:
                return _one_gives_way(of_address)
        return len(are_open) < most or _one_gives_way(are_open)

    async def _serve(self, stream: _BoundedStream, context: WorkerContext, ending: trio.Event) -> None:
        """A border: whatever one connection raises ends that connection alone."""
        clear_context()
        try:
            told: dict[str, Any] = {"ending": ending}
            if not stream.address:
                told["peer"] = peer_of_socket(stream.socket)
            app = ASGIWrapper(Exchange(self._app, stream))  # type: ignore[arg-type]
            state = ConnectionState(LifespanState(told))
            carried = stream if self._tls is None else _encrypted(stream, self._tls)
            await _Http1Server(app, self._config, context, state, carried).run()  # type: ignore[arg-type]
        except* Exception as group:  # a fault of the server library or a client's nonsense
            _logger.warning("A connection failed", exc_info=group)
        finally:
            self._open.pop(stream, None)
            stream.socket.close()
        await trio.lowlevel.checkpoint()


class _Http1Server(TCPServer):
    """HTTP/1.1 and nothing else, whatever a client would upgrade to."""

    @property
    def protocol(self) -> Any:
        return self._protocol

    @protocol.setter
    def protocol(self, wrapper: Any) -> None:
        wrapper.protocol._check_protocol = _stays
        self._protocol = wrapper


async def _stays(_request: object) -> None:
    """Take the request as it is: an upgrade to HTTP/2 is an offer that may be passed over (RFC 9110, 7.8)."""
    await trio.lowlevel.checkpoint()


class _BoundedStream:
    """A connection whose writes end: with its reader, or with the deadline.

    ``address``: of the client, empty on a Unix socket.
    """

    def __init__(self, stream: trio.SocketStream, address: str = "") -> None:
        self._stream = stream
        self.address = address
        self._busy = False
        self._answered = 0
        self._waits_since = trio.current_time()
        self.socket = stream.socket
        self.receive_some = stream.receive_some
        self.send_eof = stream.send_eof
        self.aclose = stream.aclose
        self.wait_send_all_might_not_block = stream.wait_send_all_might_not_block
        self._latest = math.inf
        self._writing: trio.CancelScope | None = None

    def begin(self) -> None:
        """A request is being answered."""
        self._busy = True

    def end(self) -> None:
        """It was answered; the next is waited for."""
        self._busy = False
        self._answered += 1
        self._waits_since = trio.current_time()

    @property
    def patience(self) -> tuple[bool, float]:
        """Who has the least of it gives way first: who never asked anything, then who asked longest ago."""
        return self._answered > 0, self._waits_since

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet; its task may still have to notice."""
        return self.socket.fileno() >= 0

    @property
    def waits(self) -> bool:
        """Whether no request is being answered."""
        return not self._busy

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


def _one_gives_way(streams: list[_BoundedStream]) -> bool:
    """Close the connection that keeps us waiting with the least right to; whether there was one."""
    first = min((stream for stream in streams if stream.waits), key=lambda stream: stream.patience, default=None)
    if first is not None:
        first.socket.close()
    return first is not None


def _encrypted(stream: _BoundedStream, context: ssl.SSLContext) -> trio.SSLStream[Any]:
    return trio.SSLStream(stream, context, server_side=True, https_compatible=True)


async def _accept(listener: trio.socket.SocketType) -> tuple[trio.socket.SocketType, str]:
    """The next connection and its address; clients that left before it and a want of descriptors are waited out."""
    while True:
        try:
            connection, address = await listener.accept()
            return connection, address[0] if isinstance(address, tuple) else ""
        except OSError as error:
            if error.errno not in _OUT_OF and error.errno != errno.ECONNABORTED:
                raise
            _logger.warning("Cannot accept a connection: %s", error.strerror)
        await trio.sleep(_OUT_OF_SECONDS)
