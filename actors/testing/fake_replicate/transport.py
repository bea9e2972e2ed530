"""Carries requests to the fake in the same process: an httpx transport, so that a client of ours needs no socket and no
real time.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import attrs
import httpx
import trio

from actors.testing.fake_replicate.fake import FakeReplicate
from actors.testing.fake_replicate.faults import FaultKind
from actors.testing.fake_replicate.wire import Asked, Reply


class FakeTransport(httpx.AsyncBaseTransport):
    """Carries a client's requests to ``fake``. Each answer takes ``latency`` seconds.

    A request to a server that hangs ends with the client's read time-out.
    """

    def __init__(self, fake: FakeReplicate, latency: float = 0.0) -> None:
        self.fake = fake
        self.latency = latency

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; see :class:`httpx.AsyncBaseTransport`."""
        body = await request.aread()
        await trio.sleep(self.latency)
        target = request.url.raw_path.decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self.fake.handle(Asked(request.method, target, headers, body, request.url.scheme))
        patience = _patience(request)
        match reply.fault:
            case FaultKind.REFUSED:
                raise httpx.ConnectError("the fake refuses the connection", request=request)
            case FaultKind.LOST_ANSWER:
                raise httpx.RemoteProtocolError("the fake closed the connection without an answer", request=request)
            case FaultKind.HANG:
                await _wait(math.inf, patience, request)
        length = {"content-length": str(reply.length)}
        return httpx.Response(
            reply.status, headers={**reply.headers, **length}, stream=_Body(reply, patience, request), request=request
        )


@attrs.frozen
class _Body(httpx.AsyncByteStream):
    _reply: Reply
    _patience: float
    _request: httpx.Request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reply = self._reply
        for piece in reply.pieces():
            await _wait(reply.seconds if reply.fault is FaultKind.DRIP else 0.0, self._patience, self._request)
            yield piece
        if reply.fault is FaultKind.CUT_BODY:
            raise httpx.RemoteProtocolError("the fake closed the connection in the body", request=self._request)


def _patience(request: httpx.Request) -> float:
    read = request.extensions.get("timeout", {}).get("read")
    return math.inf if read is None else float(read)


async def _wait(seconds: float, patience: float, request: httpx.Request) -> None:
    await trio.sleep(min(seconds, patience))
    if seconds > patience:
        raise httpx.ReadTimeout("nothing was heard from the fake", request=request)
