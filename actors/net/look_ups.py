"""Look-ups of names have limits of their own, while a runtime runs (:func:`limited_look_ups`).

A look-up runs in a thread that cannot be stopped: a name server that does not answer holds it for half a minute or
longer, and again at the next try. trio looks names up in the threads that everything else in the process uses too
(files, for example), and a look-up that nobody waits for any more keeps its thread. So names are looked up here, with
:data:`MOST` threads and :data:`MOST_OF_HOST` for each name: a name that cannot be looked up delays neither other names
nor other work.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakValueDictionary

import attrs
import trio

MOST, MOST_OF_HOST = 16, 2
"""Threads that look names up, and how many of them for one name."""
SECONDS = 30.0
"""Seconds that a look-up may take, waiting for a thread included, if the caller's time-out is not shorter."""


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


@attrs.define(eq=False)
class LimitedResolver(trio.abc.HostnameResolver):
    """The resolver of the system, within the limits."""

    _all: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(MOST))
    _of_hosts: WeakValueDictionary[Any, trio.CapacityLimiter] = attrs.field(factory=WeakValueDictionary)

    async def getaddrinfo(self, host: Any, *given: Any, **options: Any) -> list[Any]:
        """As :func:`socket.getaddrinfo`. Raises ``socket.gaierror`` if it takes too long, too."""
        of_host = self._of_hosts.setdefault(host, trio.CapacityLimiter(MOST_OF_HOST))
        limit: Any = _Limit(of_host, self._all)
        with trio.move_on_after(SECONDS):
            return await trio.to_thread.run_sync(
                lambda: socket.getaddrinfo(host, *given, **options), abandon_on_cancel=True, limiter=limit
            )
        raise socket.gaierror(socket.EAI_AGAIN, f"the name could not be looked up within {SECONDS:g} s")

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As :func:`socket.getnameinfo`."""
        return await trio.to_thread.run_sync(
            socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True, limiter=self._all
        )


@contextmanager
def limited_look_ups() -> Iterator[None]:
    """In this run of trio, for the length of the block; an application's own resolver stays as it is."""
    before = trio.socket.set_custom_hostname_resolver(LimitedResolver())
    if before is not None:
        trio.socket.set_custom_hostname_resolver(before)
    try:
        yield
    finally:
        trio.socket.set_custom_hostname_resolver(before)
