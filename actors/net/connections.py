"""Who may be connected: so many in all and of one address, and who gives way where that is reached."""

from __future__ import annotations

import errno
import math
from collections.abc import Awaitable, Callable

import trio

from actors.net.client_faults import ClientFaults
from actors.net.streams import BoundedStream
from logconf import get_logger

MOST_CONNECTIONS = 512
"""Well inside the usual limit of 1,024 descriptors."""
BACKLOG = 128
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OUT_OF_SECONDS = 0.1
_SAID_EVERY = 60.0
_logger = get_logger("actors.net")

Serve = Callable[[BoundedStream], Awaitable[None]]


class Connections:
    """The open connections of one server.

    ``port``: what the server is called where client faults are counted. ``most``: connections in all (None:
    :data:`MOST_CONNECTIONS`); ``per_address``: of one address, None: no limit. Where one is reached a connection that
    keeps us waiting gives way, or a stranger's; where all serve people we know the new one is closed.
    """

    def __init__(
        self, port: str, faults: ClientFaults, *, most: int | None = None, per_address: int | None = None
    ) -> None:
        self._port = port
        self._faults = faults
        self._most = most
        self._per_address = per_address
        self._open: dict[BoundedStream, None] = {}
        self._said = -math.inf

    async def accept(self, listener: trio.socket.SocketType, nursery: trio.Nursery, serve: Serve) -> None:
        """Take connections from ``listener`` until cancelled; each is served in ``nursery``, then closed."""
        while True:
            connection, address = await self._next(listener)
            if not self._make_room(address):
                connection.close()
                self._faults.count(self._port, "no room")
                continue
            stream = BoundedStream(trio.SocketStream(connection), address)
            self._open[stream] = None
            nursery.start_soon(self._hold, stream, serve)

    async def _hold(self, stream: BoundedStream, serve: Serve) -> None:
        try:
            await serve(stream)
        finally:
            self._open.pop(stream, None)
            stream.socket.close()

    def hurry(self, deadline: float) -> None:
        """Let no write to anybody wait beyond ``deadline``, in trio's time."""
        for stream in self._open:
            stream.hurry(deadline)

    def _make_room(self, address: str) -> bool:
        """Whether one more may be open, after somebody gave way where that was needed."""
        most = MOST_CONNECTIONS if self._most is None else self._most
        are_open = [stream for stream in self._open if stream.is_open]
        if self._per_address is not None and address:
            of_address = [stream for stream in are_open if stream.address == address]
            if len(of_address) >= self._per_address:
                return self._one_gives_way(of_address)
        return len(are_open) < most or self._one_gives_way(are_open)

    def _one_gives_way(self, streams: list[BoundedStream]) -> bool:
        """Close the connection with the least right to stay; whether there was one that may be closed."""
        leaving = (stream for stream in streams if stream.may_give_way)
        first = min(leaving, key=lambda stream: stream.patience, default=None)
        if first is not None:
            first.socket.close()
            self._faults.count(self._port, "gave way")
        return first is not None

    async def _next(self, listener: trio.socket.SocketType) -> tuple[trio.socket.SocketType, str]:
        """The next connection and its address; clients that left before it and a want of descriptors are waited out."""
        while True:
            try:
                connection, address = await listener.accept()
                return connection, address[0] if isinstance(address, tuple) else ""
            except OSError as error:
                if error.errno == errno.ECONNABORTED:
                    self._faults.count(self._port, "left at once")
                    continue
                if error.errno not in _OUT_OF:
                    raise
                self._say(error)
            await trio.sleep(_OUT_OF_SECONDS)

    def _say(self, error: OSError) -> None:
        """Once a minute: this machine's limit, whoever has reached it."""
        if trio.current_time() - self._said >= _SAID_EVERY:
            self._said = trio.current_time()
            _logger.warning("Cannot accept a connection: %s", error.strerror, extra={"port": self._port})
