"""Something between a supervisor and its head that sees every submission, and may keep its answer back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import attrs
import trio

SUBMISSION = b"POST /api/jobs/ HTTP/1.1\r\n"
TAIL = b"/logs/tail HTTP/1.1\r\n"
_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


@attrs.define
class Proxy:
    """Listens on a port of loopback and passes everything on to the head at ``target``.

    ``instead``: called in place of the answer to submission number ``nth``, once the head has given it. ``tails``: how
    many connections have followed a job's output.
    """

    target: str
    port: int = 0
    instead: Callable[[], None] | None = None
    nth: int = 1
    submissions: int = 0
    tails: int = 0
    _followed: list[trio.CancelScope] = attrs.field(factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut_tails(self) -> None:
        """Break every connection that follows output."""
        for scope in self._followed:
            scope.cancel()
        self._followed.clear()

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, client: trio.SocketStream) -> None:
        place = urlsplit(self.target)
        assert place.hostname is not None
        assert place.port is not None
        try:
            head = await trio.open_tcp_stream(place.hostname, place.port)
        except OSError:
            return
        kept_back = trio.Event()
        async with client, head, trio.open_nursery() as nursery:
            nursery.start_soon(self._requests, client, head, kept_back, nursery.cancel_scope)
            nursery.start_soon(self._answers, head, client, kept_back, nursery.cancel_scope)

    async def _requests(
        self, client: trio.SocketStream, head: trio.SocketStream, kept_back: trio.Event, scope: trio.CancelScope
    ) -> None:
        try:
            async for data in client:
                if SUBMISSION in data:
                    self.submissions += 1
                    if self.instead is not None and self.submissions == self.nth:
                        kept_back.set()
                if TAIL in data:
                    self.tails += 1
                    self._followed.append(scope)
                await head.send_all(data)
        except _BROKEN:
            pass  # either side may go at any moment: this is what the tests are about
        scope.cancel()

    async def _answers(
        self, head: trio.SocketStream, client: trio.SocketStream, kept_back: trio.Event, scope: trio.CancelScope
    ) -> None:
        try:
            async for data in head:
                if kept_back.is_set() and self.instead is not None:
                    self.instead()
                    break
                await client.send_all(data)
        except _BROKEN:
            pass  # as above
        scope.cancel()
