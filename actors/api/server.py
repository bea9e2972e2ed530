"""The HTTP server around Hypercorn's connection handling, for the Unix socket and for TCP.

Hypercorn 0.18's trio worker is used one connection at a time, for four of its faults: what one connection raises would
end the whole server (one byte after a WebSocket upgrade is enough); its writes are shielded and wait for ever, so that
a client which stops reading keeps the server from stopping; it would unlink and bind a socket that another supervisor
serves; and it switches a connection to HTTP/2 when a client asks, whose streams no bound here would count. Private
names relied on: ``TCPServer(app, config, context, state, stream).run()``, which uses of its stream ``socket``,
``receive_some``, ``send_all``, ``send_eof`` and ``aclose``, sets its own ``protocol`` once, and whose
``protocol.protocol._check_protocol`` decides about HTTP/2; and ``WorkerContext(None).terminated``.
"""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import Any

import trio

from actors.api.http1_only import (
    ASGIWrapper,
    Closed,
    Config,
    ConnectionState,
    Event,
    LifespanState,
    RawData,
    TCPServer,
    WorkerContext,
)  # fmt: skip
from actors.api.unix_peer import peer_of_socket, uid_of_socket, unnamed_peer_of_socket
from actors.net.client_faults import ClientFaults
from actors.net.connections import Connections
from actors.net.streams import BoundedStream, encrypted
from logconf import get_logger
from logconf.asgi import App, Message, Receive, Scope, Send

HEAD_SECONDS = 5.0
"""Seconds for a request's head, counted from the connection or the answer before; so it also limits idle
connections.
"""
HANDSHAKE_SECONDS = 10.0
_logger = get_logger("actors.api.server")


class HttpServer:
    """Serves ``app`` on its listeners, within limits.

    ``faults`` counts faults of clients under the name ``port``. ``most``, ``per_address``: as in
    :class:`~actors.net.connections.Connections`. ``tls``: the encryption of connections. ``shared``: this is the Unix
    socket for other users of this machine, where each user counts as an address.
    """

    def __init__(
        self,
        app: App,
        faults: ClientFaults,
        port: str,
        *,
        most: int | None = None,
        per_address: int | None = None,
        tls: ssl.SSLContext | None = None,
        shared: bool = False,
    ) -> None:
        self._app = app
        self._faults = faults
        self._port = port
        self._connections = Connections(
            port, faults, most=most, per_address=per_address, address_of=_user_of if shared else None
        )
        self._peer_of = unnamed_peer_of_socket if shared else peer_of_socket
        self._tls = tls
        self._config = Config()
        self._config.accesslog = None
        self._config.errorlog = _logger
        self._config.include_server_header = False
        self._config.keep_alive_timeout = HEAD_SECONDS
        self._config.ssl_handshake_timeout = HANDSHAKE_SECONDS

    async def serve(  # noqa: ASYNC128 - Connections.serve calls started()
        self,
        listeners: list[trio.socket.SocketType],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled, then let requests in flight end within the grace of :mod:`actors.net.connections`."""
        context = WorkerContext(None)
        serve = partial(self._serve, context)
        await self._connections.serve(listeners, serve, context.terminated.set, task_status=task_status)

    async def _serve(self, context: WorkerContext, stream: BoundedStream, ending: trio.Event) -> None:
        carried = encrypted(stream, self._tls)
        scope: dict[str, Any] = {"ending": ending, "connection": stream, "carrier": carried}
        if stream.socket.family == socket.AF_UNIX:
            scope["peer"] = self._peer_of(stream.socket)
        app = ASGIWrapper(drained(self._app, stream))  # type: ignore[arg-type]
        state = ConnectionState(LifespanState(scope))
        try:
            await _Http1Server(app, self._config, context, state, carried).run()  # type: ignore[arg-type]
        finally:
            if stream.made_no_sense and not ending.is_set():  # with TLS that may be a browser's connection in advance
                self._faults.count(self._port, "no request", logged=self._tls is None)
        await trio.lowlevel.checkpoint()


def _user_of(connection: trio.socket.SocketType) -> str:
    return f"uid:{uid_of_socket(connection)}"


class _Http1Server(TCPServer):
    """HTTP/1.1 only, whatever a client wants to upgrade to. The head of an answer is sent together with its next
    piece.
    """

    _head = b""

    async def protocol_send(self, event: Event) -> None:
        """Write what the protocol gives. After a head it always gives at least one more piece, an empty one at the
        end.
        """
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        if not self._head and event.data.startswith(b"HTTP/1.1 ") and not event.data.startswith(b"HTTP/1.1 1"):
            self._head = event.data
            return
        data, self._head = self._head + event.data, b""
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self.protocol.handle(Closed())

    @property
    def protocol(self) -> Any:
        return self._protocol

    @protocol.setter
    def protocol(self, wrapper: Any) -> None:
        wrapper.protocol._check_protocol = _stays
        self._protocol = wrapper


async def _stays(_request: object) -> None:
    """Keep the request as it is: an upgrade to HTTP/2 is an offer that may be ignored (RFC 9110, 7.8)."""
    await trio.lowlevel.checkpoint()


LINGER = 2.0
LINGER_BYTES = 4 << 20
"""How long, and up to how many bytes, the rest of a body is read and dropped, so that its client reads the answer."""


def drained(app: App, connection: BoundedStream) -> App:
    """``app`` for one connection: a body that it does not read ends with its answer, or soon after.

    Hypercorn passes a body through a queue of ten pieces. If an application answers without reading it (a refusal), its
    connection waits for ever for room in that queue: the answer's last piece, the reader and the notice that the client
    has left all wait for one another.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        connection.begin()
        try:
            if scope["type"] != "http" or not _has_body(scope):
                await app(scope, receive, send)
            else:
                await app(scope, *_draining(receive, send))
        finally:
            connection.end()

    return serve


def _draining(receive: Receive, send: Send) -> tuple[Receive, Send]:
    whole = False

    async def receive_noting() -> Message:
        nonlocal whole
        message = await receive()
        whole = whole or message["type"] == "http.disconnect" or not message.get("more_body")
        return message

    async def throw_away() -> None:
        left = LINGER_BYTES
        while not whole and left > 0:
            left -= len((await receive_noting()).get("body", b""))

    async def send_and_end(message: Message) -> None:
        if whole or message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
        else:
            await send({**message, "more_body": True})
            with trio.move_on_after(LINGER):
                await throw_away()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_drop_all, receive)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                nursery.cancel_scope.cancel()

    return receive_noting, send_and_end


async def _drop_all(receive: Receive) -> None:
    """Empty the queue while the connection is being closed."""
    while True:
        await receive()


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ") != b"")
        for name, value in scope["headers"]
    )
