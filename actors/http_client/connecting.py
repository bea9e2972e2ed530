"""Connections of the HTTP client: name look-ups have limits of their own, beside the time-out of a connection.

A look-up runs in a thread that cannot be stopped: a name server that does not answer holds it for half a minute or
longer, and again at the next try. trio looks names up in the threads that everything else in the process uses too
(files, for example), and a look-up that nobody waits for any more keeps its thread. So names are looked up here, with
:data:`MOST` threads for a client and :data:`MOST_OF_HOST` for each name: a name that cannot be looked up delays neither
other names nor other work.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any
from weakref import WeakValueDictionary

import attrs
import httpcore
import httpx
import trio

MOST, MOST_OF_HOST = 16, 2
"""Threads that look names up for one client, and how many of them for one name."""
LOOK_UP_SECONDS = 30.0
"""Seconds that a look-up may take, waiting for a thread included, if a connection's time-out is not shorter."""
_NEXT_SECONDS = 0.25
"""After so many seconds a further address is tried beside those before it (RFC 8305: "Connection Attempt Delay")."""


def look_up(host: str, port: int) -> list[str]:
    """The addresses of ``host``, the preferred one first; blocks. Raises ``OSError``, or ``UnicodeError`` for what is
    no name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


@attrs.define(eq=False)
class _Limit:
    """The limit of a thread that looks up one name: that of the name, then that of all names."""

    of_host: trio.CapacityLimiter
    of_all: trio.CapacityLimiter

    async def acquire_on_behalf_of(self, borrower: Any) -> None:
        with ExitStack() as undo:
            await self.of_host.acquire_on_behalf_of(borrower)
            undo.callback(self.of_host.release_on_behalf_of, borrower)
            await self.of_all.acquire_on_behalf_of(borrower)
            undo.pop_all()

    def release_on_behalf_of(self, borrower: Any) -> None:
        self.of_all.release_on_behalf_of(borrower)
        self.of_host.release_on_behalf_of(borrower)


class LimitedLookUps(httpcore.AsyncNetworkBackend):
    """The connections of one client, by the addresses of names that are looked up within the limits.

    ``usual``: makes the connections; outside trio it looks names up, too.
    """

    def __init__(self, usual: httpcore.AsyncNetworkBackend) -> None:
        self._usual = usual
        self._all = trio.CapacityLimiter(MOST)
        self._of_hosts: WeakValueDictionary[str, trio.CapacityLimiter] = WeakValueDictionary()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within ``timeout`` seconds, the look-up included. Raises httpcore's own errors."""
        options = None if socket_options is None else list(socket_options)
        if not trio.lowlevel.in_trio_run():
            return await self._usual.connect_tcp(host, port, timeout, local_address, options)

        def connect(address: str) -> Awaitable[httpcore.AsyncNetworkStream]:
            return self._usual.connect_tcp(address, port, None, local_address, options)

        with trio.move_on_after(float("inf") if timeout is None else timeout):
            return await _first_of(await self._addresses(host, port), connect)
        raise httpcore.ConnectTimeout(f"{host} could not be connected to within {timeout:g} s")

    async def connect_unix_socket(self, *given: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """As usual."""
        return await self._usual.connect_unix_socket(*given, **options)

    async def sleep(self, seconds: float) -> None:
        """As usual."""
        await self._usual.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        if _is_address(host):
            return [host]
        of_host = self._of_hosts.setdefault(host, trio.CapacityLimiter(MOST_OF_HOST))
        limit: Any = _Limit(of_host, self._all)
        with trio.move_on_after(LOOK_UP_SECONDS):
            try:
                return await trio.to_thread.run_sync(look_up, host, port, abandon_on_cancel=True, limiter=limit)
            except (OSError, UnicodeError) as error:
                raise httpcore.ConnectError(f"{host} cannot be looked up: {error}") from error
        raise httpcore.ConnectTimeout(f"{host} could not be looked up within {LOOK_UP_SECONDS:g} s")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _first_of(
    addresses: Iterable[str], connect: Callable[[str], Awaitable[httpcore.AsyncNetworkStream]]
) -> httpcore.AsyncNetworkStream:
    """The first connection that comes about; raises the first error if none does."""
    failures: list[httpcore.ConnectError] = []
    made: list[httpcore.AsyncNetworkStream] = []

    async def attempt(address: str, failed: trio.Event) -> None:
        try:
            stream = await connect(address)
        except httpcore.ConnectError as error:
            failures.append(error)
            failed.set()
            return
        if made:
            await stream.aclose()
        else:
            made.append(stream)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for address in addresses:
            failed = trio.Event()
            nursery.start_soon(attempt, address, failed)
            with trio.move_on_after(_NEXT_SECONDS):
                await failed.wait()
    if made:
        return made[0]
    raise failures[0] if failures else httpcore.ConnectError("the name has no address")


def limit_look_ups(client: httpx.AsyncClient) -> None:
    """Let ``client`` connect through :class:`LimitedLookUps`, directly and to its proxies.

    Neither httpx nor httpcore has a public way to it from a client; the names are theirs, and tests hold them.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.AsyncHTTPTransport):
            pool: Any = transport._pool
            pool._network_backend = LimitedLookUps(pool._network_backend)
