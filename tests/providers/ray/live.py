"""A head in memory whose one job writes as it is told to: its status, its whole output, and its live tail."""

from __future__ import annotations

import json
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing
import trio_websocket

from actors.providers.ray import RayOptions, RayProvider
from actors.providers.ray.logs import Follower
from tests.providers.ray.canned import VERSION, details, unknown


@attrs.define
class LiveHead:
    """``tails``: for each connection in turn how many characters of the output it tells before it breaks off.

    None: it tells everything as it is written and closes at the job's end. What is written is told at once; every
    connection begins at the beginning, as Ray's do.
    """

    tails: list[int | None] = attrs.field(factory=lambda: [None])
    output: str = ""
    status: str = "RUNNING"
    job_id: str = ""
    token: str = ""
    connections: int = 0
    down: bool = False
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def provider(self, monkeypatch: pytest.MonkeyPatch) -> RayProvider:
        """A provider whose requests and connections come here."""
        monkeypatch.setattr(Follower, "_connected", lambda _follower: self._connected())
        return RayProvider(RayOptions(), transport=httpx.MockTransport(self._answer))

    def write(self, text: str) -> None:
        """The job writes."""
        self.output += text
        self._tell()

    def end(self, status: str = "SUCCEEDED") -> None:
        """The job ends."""
        self.status = status
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        call = f"{request.method} {request.url.path}"
        if call == "GET /api/version":
            return httpx.Response(200, json=VERSION)
        if call == "POST /api/jobs/":
            return self._accept(request)
        if not self.job_id or self.job_id not in call:
            return unknown()
        if call.endswith("/logs"):
            return httpx.Response(200, json={"logs": self.output})
        return httpx.Response(200, json=self._details())

    def _accept(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        self.job_id, self.token = asked["submission_id"], asked["metadata"]["greenroom_token"]
        return httpx.Response(200, json={"job_id": self.job_id, "submission_id": self.job_id})

    def _details(self) -> dict[str, Any]:
        return details(self.status, self.job_id, self.token)

    async def _connected(self) -> trio.StapledStream[Any, Any]:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise OSError("refused")
        ours, theirs = trio.testing.memory_stream_pair()
        trio.lowlevel.spawn_system_task(self._serve, theirs)
        return ours

    async def _serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        most = self.tails.pop(0) if self.tails else None
        try:
            async with trio.open_nursery() as nursery:
                request = await trio_websocket.wrap_server_stream(nursery, stream)
                connection = await request.accept()
                await self._tail(connection, most)
                await connection.aclose(1000 if most is None else 1011)
                nursery.cancel_scope.cancel()
        except* (trio_websocket.ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the reader left

    async def _tail(self, connection: trio_websocket.WebSocketConnection, most: int | None) -> None:
        told = 0
        while True:
            changed = self._changed
            end = len(self.output) if most is None else min(most, len(self.output))
            if end > told:
                await connection.send_message(self.output[told:end])
                told = end
            if (most is not None and told >= most) or (most is None and self.status != "RUNNING"):
                return
            await changed.wait()
