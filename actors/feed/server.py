"""The feed's server: a port of its own, a guard around each connection, a close frame for every client when it stops.

trio-websocket is used one connection at a time, because its own server would end with the first connection that raises,
drops a client's TCP connection without a close frame when it is cancelled, and waits a minute where this waits seconds.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import attrs
import trio
from starlette.exceptions import HTTPException
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from actors.access.hosts import AllowedHosts, same_origin
from actors.access.peer import Peer
from actors.access.secret import bearer_token
from actors.control.runtime import Runtime
from actors.feed.connection import Connection
from actors.feed.messages import MOST_BYTES, Authenticate, Close, CloseConnection, Malformed, read
from actors.feed.options import FeedOptions
from actors.net.connections import BACKLOG, Connections, closed_at_the_end
from actors.net.streams import BoundedStream, encrypted
from actors.store import caller
from actors.store.errors import StoreError
from logconf import get_logger
from supervision import ChildSpec
from supervision.errors import leaves

CONNECT_SECONDS = 10.0
"""Seconds for TLS, the handshake and the sign-in together; a silent client holds a connection no longer."""
CLOSE_SECONDS = 2.0
"""Seconds for the exchange of close frames."""
AGAIN_SECONDS = 5
"""Seconds after which a client that was answered 503 may try again."""
PATHS = ("/", "/feed")
_CLIENT_FAULTS = frozenset({Close.MALFORMED, Close.POLICY})
_PORT = "feed"
_logger = get_logger("actors.feed")

AuthenticateToken = Callable[[str], Awaitable[Peer | None]]
"""Finds the caller with a token; None if the token is not valid."""


def feed_server(server: FeedServer) -> ChildSpec:
    """The child that serves the feed, for ``Parts.servers``.

    If the port is taken, there is a WARNING and the child is finished: it can be started by hand.
    """
    return ChildSpec("feed", server.run, restart="transient")


@attrs.define(eq=False)
class FeedServer:
    """Serves the events of one runtime. ``port``: where it listens, once it does.

    ``behind_proxy``: every connection comes from the proxy's address, so there is no limit for each.
    """

    _runtime: Runtime
    _options: FeedOptions
    _authenticate: AuthenticateToken
    _hosts: AllowedHosts
    _tls: ssl.SSLContext | None = None
    _behind_proxy: bool = attrs.field(default=False, kw_only=True)
    _connections: Connections = attrs.field(init=False)
    _of_user: Counter[str] = attrs.field(init=False, factory=Counter)
    port: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        options, faults = self._options, self._runtime.client_faults
        per_address = None if self._behind_proxy else options.max_per_address
        self._connections = Connections(_PORT, faults, most=options.max_connections, per_address=per_address)
        self.port = options.port

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled, then close every connection in order."""
        try:
            listeners = await trio.open_tcp_listeners(self._options.port, host=self._options.host, backlog=BACKLOG)
        except OSError as error:
            extra = {"host": self._options.host, "port": self._options.port}
            why = error.strerror or str(error)
            _logger.warning("The event feed is not served: %s; change feed.host or feed.port", why, extra=extra)
            task_status.started()
            return
        with closed_at_the_end(listeners) as sockets:
            self.port = sockets[0].getsockname()[1]
            async with trio.open_nursery() as nursery:
                await nursery.start(self._connections.serve, sockets, self._serve)
                _logger.info("Event feed is ready", extra={"host": self._options.host, "port": self.port})
                task_status.started()

    async def _serve(self, stream: BoundedStream, ending: trio.Event) -> None:
        try:
            async with trio.open_nursery() as nursery:
                await self._serve_client(stream, ending, nursery)
                nursery.cancel_scope.cancel()
        except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has left, in its own way

    async def _serve_client(self, bounded: BoundedStream, ending: trio.Event, nursery: trio.Nursery) -> None:
        stream = FrameStream(encrypted(bounded, self._tls))
        answered = False
        try:
            with trio.move_on_after(CONNECT_SECONDS) as connecting:
                # Else a client that leaves in the middle of a handshake would hold a place.
                stream.on_end = connecting.cancel
                request = await wrap_server_stream(nursery, stream, max_message_size=MOST_BYTES)
                try:
                    token, peer = await self._admitted(request, ending)
                except HTTPException as refused:
                    answered = True
                    await self._reject(request, refused)
                    return
                socket = await request.accept()
                answered = True
        finally:
            if not answered:
                self._runtime.client_faults.count(_PORT, "no handshake")
        if connecting.cancelled_caught:
            return
        try:
            if token is None:
                token, peer = await self._sign_in(socket, connecting.deadline)
            assert peer is not None
            caller.set(peer.key)
            with self._counted(peer, bounded):
                await Connection(socket, self._runtime, peer, partial(self._still_valid, token, peer)).run(ending)
        except* (CloseConnection, StoreError) as group:
            closing = next(leaves(group))
            if not isinstance(closing, CloseConnection):
                closing = CloseConnection(Close.GOING_AWAY, "the store cannot be read now; connect again")
            if closing.code in _CLIENT_FAULTS:
                self._runtime.client_faults.count(_PORT, f"closed {closing.code}")
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await socket.aclose(closing.code, closing.reason)

    async def _admitted(self, request: WebSocketRequest, ending: trio.Event) -> tuple[str | None, Peer | None]:
        """The handshake's token and its caller; both None if a first message must bring them.

        Raises ``HTTPException``, which is the answer.
        """
        headers = {name.lower(): value.decode("latin-1") for name, value in request.headers}
        host: str = request._event.host  # the library keeps this header to itself
        if not self._hosts.allows(host):
            raise HTTPException(421, "this name is not one of this server's")
        origin = headers.get(b"origin")
        if origin is not None and not same_origin(origin, host, any_port=True):
            raise HTTPException(403, "pages of other origins may not connect")
        if request.path not in PATHS:
            raise HTTPException(400 if "?" in request.path else 404, "the feed is at /, and takes nothing from the URL")
        authorization = headers.get(b"authorization")
        token = None if authorization is None else bearer_token(authorization)
        if token == "":
            raise HTTPException(401, "Authorization must be: Bearer TOKEN")
        if ending.is_set():
            raise HTTPException(503, "the supervisor stops")
        try:
            peer = None if token is None else await self._authenticate(token)
        except StoreError as error:
            raise HTTPException(503, str(error)) from None
        if token is not None and peer is None:
            raise HTTPException(401, "this token is not known, or has ended")
        return token, peer

    async def _reject(self, request: WebSocketRequest, refused: HTTPException) -> None:
        self._runtime.client_faults.count(_PORT, f"status {refused.status_code}")
        again = [(b"Retry-After", str(AGAIN_SECONDS).encode())] if refused.status_code == 503 else []
        await request.reject(refused.status_code, extra_headers=again, body=f"{refused.detail}\n".encode())

    async def _sign_in(self, socket: WebSocketConnection, deadline: float) -> tuple[str, Peer]:
        """The first message's token and its caller. Raises :class:`CloseConnection`."""
        message = None
        with trio.CancelScope(deadline=deadline):
            try:
                message = read(await socket.get_message())
            except Malformed as error:
                raise CloseConnection(Close.MALFORMED, str(error)) from None
        if not isinstance(message, Authenticate):
            raise CloseConnection(Close.POLICY, f"authenticate first, within {CONNECT_SECONDS:g} s")
        if (peer := await self._authenticate(message.token)) is None:
            raise CloseConnection(Close.POLICY, "this token is not known, or has ended")
        return message.token, peer

    async def _still_valid(self, token: str, peer: Peer) -> bool:
        """Whether the token still gives the same rights."""
        return peer.is_still(await self._authenticate(token))

    @contextmanager
    def _counted(self, peer: Peer, bounded: BoundedStream) -> Iterator[None]:
        """Count this as a connection of its user for the length of the block; it is not closed in favour of others
        meanwhile.
        """
        if self._of_user[peer.name] >= self._options.max_per_user:
            why = f"{self._options.max_per_user} connections are open for {peer.name} already"
            raise CloseConnection(Close.SLOW, why)
        self._of_user[peer.name] += 1
        bounded.begin()
        bounded.recognise()
        try:
            yield
        finally:
            bounded.end()
            self._of_user[peer.name] -= 1
            self._of_user += Counter()  # forgets who has none


class FrameStream(trio.abc.Stream):
    """``stream``, bounded and perhaps encrypted, for one WebSocket.

    A frame that has begun is written to its end, also through TLS: half of one would make everything after it, also the
    close frame, unreadable. ``on_end`` is called when nothing more will be received.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.on_end: Callable[[], object] = lambda: None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it. Raises ``trio.BrokenResourceError`` when the reader does not take it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(shield=True):
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream's."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As the stream's."""
        received = b""
        try:
            received = bytes(await self._stream.receive_some(max_bytes))
        finally:
            if not received:
                self.on_end()
        return received

    async def aclose(self) -> None:
        """As the stream's."""
        try:
            await self._stream.aclose()
        finally:
            self.on_end()
