"""Watch a supervisor on another machine through its event feed; after a lost connection it continues at the last
event.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit

import click
import orjson
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from actors.cli.context import Failed
from actors.cli.event_text import describe, missing_events
from actors.cli.network import NetworkAddress
from supervision.errors import leaves

CONNECT_SECONDS = 10.0
MOST_PAUSE = 30.0
"""The most seconds between two tries to connect again; the first try comes after a second."""
_FINAL = frozenset({1002, 1003, 1007, 1008, 1009})
"""Close codes after which trying again would have the same result."""
_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


def watch_feed(url: SplitResult, token: str, subscription: dict[str, Any], *, as_json: bool) -> None:
    """Print every event of the feed at ``url`` until Ctrl-C. Raises :class:`Failed` when it is refused."""
    trio.run(_Watching(url.geturl(), token, subscription, as_json).run)


class _Watching:
    """One watch over many connections."""

    def __init__(self, url: str, token: str, subscription: dict[str, Any], as_json: bool) -> None:
        self._url = url
        self._address = urlsplit(url)
        self._headers = [(b"Authorization", f"Bearer {token}".encode())]
        self._subscription = subscription
        self._as_json = as_json
        self._tries = 0
        self._connected = False

    async def run(self) -> None:
        """Connect, print, and connect again."""
        while True:
            why = await self._attempt()
            pause = min(2.0**self._tries, MOST_PAUSE)
            self._tries += 1
            click.echo(f"({why}; trying again in {pause:g} s)", err=True)
            await trio.sleep(pause)

    async def _attempt(self) -> str:
        """Use one connection to its end. Returns why it ended. Raises :class:`Failed` if another would end in the
        same way.
        """
        failures: list[BaseException] = []
        try:
            async with await self._connect() as stream, trio.open_nursery() as nursery:
                socket = await self._shake_hands(nursery, stream)
                await self._print(socket)
        except* (ConnectionClosed, HandshakeError, OSError, trio.TooSlowError, trio.BrokenResourceError) as group:
            failures += leaves(group)
        failure = failures[0]
        if isinstance(failure, ConnectionRejected):
            body = (failure.body or b"").decode(errors="replace").strip()
            not_feed = f"status {failure.status_code}; is it the address of the feed? that of HTTP begins with http"
            raise Failed(f"{self._url} refuses: {body or not_feed}")
        reason = getattr(failure, "reason", None)
        if isinstance(failure, ConnectionClosed) and reason is not None:
            if reason.code in _FINAL:
                raise Failed(f"{self._url} closed the connection: {reason.reason or reason.code}")
            return reason.reason or "the connection was lost"
        if not self._connected:
            if isinstance(cause := failure.__cause__, OSError) and hasattr(cause, "verify_message"):
                raise NetworkAddress(self._address, "", "").unreachable(cause)
            raise Failed(f"nobody answers at {self._url}: {str(failure) or type(failure).__name__}")
        return "the connection was lost"

    async def _connect(self) -> _Stream:
        """The TCP connection, which we close, because the library leaves that to the other end."""
        encrypted = self._address.scheme == "wss"
        host, port = self._address.hostname, self._address.port or (443 if encrypted else 80)
        assert host is not None
        with trio.fail_after(CONNECT_SECONDS):
            if encrypted:
                stream = await trio.open_ssl_over_tcp_stream(host, port, https_compatible=True)
                try:
                    await stream.do_handshake()  # here, where it fails at once and with its reason
                except trio.BrokenResourceError:
                    await trio.aclose_forcefully(stream)
                    raise
                return stream
            return await trio.open_tcp_stream(host, port)

    async def _shake_hands(self, nursery: trio.Nursery, stream: _Stream) -> WebSocketConnection:
        with trio.fail_after(CONNECT_SECONDS):
            return await wrap_client_stream(
                nursery, stream, self._address.netloc, self._address.path or "/", extra_headers=self._headers
            )

    async def _print(self, socket: WebSocketConnection) -> None:
        await socket.send_message(orjson.dumps({"type": "subscribe", **self._subscription}).decode())
        while True:
            message: dict[str, Any] = orjson.loads(await socket.get_message())
            if "seq" in message and message.get("type") != "subscribed":
                self._subscription["after"] = message["seq"]
                click.echo(orjson.dumps(message) if self._as_json else describe(message))
            elif message["type"] == "subscribed":
                if message["after"] is not None:
                    self._subscription.setdefault("after", message["after"])
                if "job_id" in message:  # another job may get this name meanwhile
                    self._subscription["job_id"] = message["job_id"]
                self._tries, self._connected = 0, True
                click.echo("Connected; Ctrl-C ends this.", err=True)
            elif message["type"] == "gap":
                click.echo(missing_events(message), err=True)
            elif message["type"] == "error":
                click.echo(f"({message['detail']})", err=True)
