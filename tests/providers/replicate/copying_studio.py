"""A fake account, the hosts beside it, and providers that copy the results of its jobs into a folder on a real disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
import trio.testing

from actors.jobs.records import Phase
from actors.kernel import VirtualClock
from actors.providers.base import Submitted
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import FakeReplicate, FakeTransport
from tests.providers.replicate.account import request

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@attrs.define
class Studio:
    """A fake account, the hosts beside it, and providers that copy into one folder."""

    root: Path
    clock: VirtualClock
    fake: FakeReplicate
    elsewhere: Answer | None = None
    asked: list[httpx.Request] = attrs.field(factory=list)

    def provider(self, **options: Any) -> ReplicateProvider:
        return ReplicateProvider(
            ReplicateOptions(**{"copy_results": True, "token_input": "token", **options}),
            self.root, now=self.clock.now, transport=_Hosts(self),
        )  # fmt: skip

    async def ended(self, provider: ReplicateProvider, output: Any = None) -> Submitted:
        """A job that has ended with ``output`` (None: a file at the account itself), and was seen to."""
        prepared = provider.prepare(request(seconds=10, output=output))
        submitted = await provider.submit("key-1", "token", prepared, {})
        self.clock.move(timedelta(seconds=11))
        view = await provider.observe_many({"key-1": submitted.handle})
        assert view.observations["key-1"].phase is Phase.SUCCEEDED
        return submitted

    def files(self) -> dict[str, bytes]:
        """What lies in the folder of the job's results."""
        folder = self.root / "results" / "key-1"
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}

    def left(self) -> list[str]:
        """What is still to be copied, and pieces of what was begun."""
        folders = [self.root / "to-copy", self.root / "results"]
        return [path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.name != "key-1"]


class _Hosts(httpx.AsyncBaseTransport):
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.account = FakeTransport(studio.fake)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.studio.asked.append(request)
        if request.url.host == "api.replicate.com":
            return await self.account.handle_async_request(request)
        assert self.studio.elsewhere is not None
        return await self.studio.elsewhere(request)


async def settled(provider: ReplicateProvider) -> None:
    """Let ``provider`` copy until one job is settled."""
    done = trio.Event()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.watch, lambda _key: done.set())
            await done.wait()
            nursery.cancel_scope.cancel()


async def delivery(request: httpx.Request) -> httpx.Response:
    await trio.lowlevel.checkpoint()
    return httpx.Response(200, content=b"weights of " + request.url.path.encode())


class Sent(httpx.AsyncByteStream):
    """A body as it is on the wire, of ``content`` for so many times."""

    def __init__(self, content: bytes, times: int = 1) -> None:
        self.content = content
        self.left = times

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        return self.content


def remarks(provider: ReplicateProvider) -> list[str]:
    """What was said of jobs that have ended."""
    found = []
    with suppress(trio.WouldBlock):
        while True:
            remark = provider.remarks.receive_nowait()
            assert remark.key == "key-1"
            found.append(remark.text)
    return found
