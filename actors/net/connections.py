"""Serving connections: how many in all and per address, which one is closed at the limit, and how all of them end.

Both servers on TCP, and the one on the Unix socket, serve through this.
"""

from __future__ import annotations

import errno
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import attrs
import trio

from actors.net.client_faults import ClientFaults
from actors.net.streams import BoundedStream
from logconf import clear_context, get_logger

MOST_CONNECTIONS = 512
"""The default limit, well inside the usual limit of 1,024 descriptors."""
BACKLOG = 128
GRACE = 10.0
"""Seconds in which what is in progress may end at a stop (C1): requests here, submissions in the runtime."""
SHUTDOWN = GRACE + 5.0
"""Seconds in which a server must end, after which it is overrun: the grace, then close frames are sent."""
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OUT_OF_SECONDS = 0.1
_LOG_EVERY = 60.0
_logger = get_logger("actors.net")

Serve = Callable[[BoundedStream, trio.Event], Awaitable[None]]
"""Serves one connection; the event is set when the server stops."""


@attrs.define(eq=False)
class Connections:
    """The open connections of one server.

    ``port``: the name of the server in counts of client faults. ``address_of``: the address of a connection, if it is
    another than the network's. ``most``: connections in all (None: :data:`MOST_CONNECTIONS`); ``per_address``: of one
    address, None: no limit. At a limit, a connection that waits for a request is closed, else one of an unknown client;
    if all serve known clients, the new one is closed.
    """

    _port: str
    _faults: ClientFaults
    _most: int | None = attrs.field(default=None, kw_only=True)
    _per_address: int | None = attrs.field(default=None, kw_only=True)
    _address_of: Callable[[trio.socket.SocketType], str] | None = attrs.field(default=None, kw_only=True)
    _open: dict[BoundedStream, None] = attrs.field(factory=dict, init=False)
    _logged: float = attrs.field(default=-math.inf, init=False)

    async def serve(
        self,
        listeners: Iterable[trio.socket.SocketType],
        serve: Serve,
        on_stop: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve every connection until cancelled, then let those in progress end within :data:`GRACE`.

        ``on_stop``: called when that time begins.
        """

        async def end_by(deadline: float) -> None:
            await on_stop()
            for stream in self._open:
                stream.limit_writes(deadline)

        async with lingering(GRACE, end_by) as (connections, ending), trio.open_nursery() as nursery:
            nursery.start_soon(self._faults.log_counts)
            for listener in listeners:
                nursery.start_soon(self._accept, listener, connections, partial(self._hold, serve, ending))
            task_status.started()

    async def _accept(
        self, listener: trio.socket.SocketType, nursery: trio.Nursery, hold: Callable[[BoundedStream], Awaitable[None]]
    ) -> None:
        while True:
            connection, address = await self._next(listener)
            if not self._may_open(address):
                connection.close()
                self._faults.count(self._port, "no room")
                continue
            stream = BoundedStream(trio.SocketStream(connection), address)
            self._open[stream] = None
            nursery.start_soon(hold, stream)

    async def _hold(self, serve: Serve, ending: trio.Event, stream: BoundedStream) -> None:
        """A named border for broad ``except``: whatever one connection raises ends that connection alone."""
        clear_context()
        try:
            await serve(stream, ending)
        except* Exception as group:  # noqa: BLE001 - border: a fault of a server library, a client's nonsense, or ours
            self._faults.record(self._port, group, _logger, "A connection failed", {"server": self._port})
        finally:
            self._open.pop(stream, None)
            stream.socket.close()

    def _may_open(self, address: str) -> bool:
        """Whether one more connection may be open, after another was closed if necessary."""
        most = MOST_CONNECTIONS if self._most is None else self._most
        are_open = [stream for stream in self._open if stream.is_open]
        if self._per_address is not None and address:
            of_address = [stream for stream in are_open if stream.address == address]
            if len(of_address) >= self._per_address:
                return self._one_gives_way(of_address)
        return len(are_open) < most or self._one_gives_way(are_open)

    def _one_gives_way(self, streams: list[BoundedStream]) -> bool:
        """Close the connection with the lowest priority. Returns whether there was one that may be closed."""
        leaving = (stream for stream in streams if stream.may_give_way)
        first = min(leaving, key=lambda stream: stream.patience, default=None)
        if first is not None:
            first.socket.close()
            self._faults.count(self._port, "gave way")
        return first is not None

    async def _next(self, listener: trio.socket.SocketType) -> tuple[trio.socket.SocketType, str]:
        """The next connection and its address. Skips clients that have left, and waits while there are no
        descriptors.
        """
        while True:
            try:
                connection, address = await listener.accept()
                if self._address_of is not None:
                    return connection, self._address_of(connection)
                return connection, address[0] if isinstance(address, tuple) else ""
            except OSError as error:
                if error.errno == errno.ECONNABORTED:
                    self._faults.count(self._port, "left at once")
                    continue
                if error.errno not in _OUT_OF:
                    raise
                self._log_limit(error)
            await trio.sleep(_OUT_OF_SECONDS)

    def _log_limit(self, error: OSError) -> None:
        """Log a limit of this machine, once a minute at most."""
        if trio.current_time() - self._logged >= _LOG_EVERY:
            self._logged = trio.current_time()
            _logger.warning("Cannot accept a connection: %s", error.strerror, extra={"server": self._port})


@contextmanager
def closed_at_the_end(listeners: Iterable[trio.SocketListener]) -> Iterator[list[trio.socket.SocketType]]:
    """The sockets of ``listeners`` for the length of the block."""
    sockets = [listener.socket for listener in listeners]
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


@asynccontextmanager
async def lingering(
    grace: float, end_by: Callable[[float], Awaitable[None]]
) -> AsyncIterator[tuple[trio.Nursery, trio.Event]]:
    """A nursery for connections that outlives the block, also its cancellation, by at most ``grace`` seconds.

    The event beside it is set when that time begins: idle connections close, streams send their last event. ``end_by``
    is then called with the trio time at which the remaining connections are cut off.
    """
    ending = trio.Event()

    async def hold(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as connections:
                task_status.started(connections)
                await ending.wait()
                scope.deadline = trio.current_time() + grace
                await end_by(scope.deadline)

    async with trio.open_nursery() as holding:
        with trio.CancelScope(shield=True):  # cancelled while it starts, `hold` would wait for ever for the block's end
            connections = await holding.start(hold)
        try:
            yield connections, ending
        finally:
            ending.set()
