"""What is in progress when the runtime stops has one grace, in which it may end (C1)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from trio.testing import MockClock

from actors.api.socket_file import announced
from actors.api.unix import socket_server
from actors.kernel import VirtualClock
from actors.net.connections import GRACE
from actors.providers.scripted import Fault, FaultKind, ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.testing import request, seeded_sources, virtual_settings
from logconf.testing import capture_logs

BODY = b'{"reason": "for the night"}'
HEAD = b"POST /api/queue/pause HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@attrs.define
class Stopping:
    """A runtime with two servers. ``took``: how long its stop took, once it has ended."""

    runtime: RunningRuntime
    sockets: list[Path]
    stop: trio.Event = attrs.field(factory=trio.Event)
    ended: trio.Event = attrs.field(factory=trio.Event)
    took: float = 0.0

    async def half_a_request(self, socket: Path) -> trio.SocketStream:
        """A request that is in progress: its body is not whole yet."""
        stream = await trio.open_unix_socket(socket)
        await stream.send_all(HEAD % len(BODY) + BODY[:5])
        await trio.sleep(0.1)
        return stream

    async def stopped(self) -> float:
        """Stop it, and return how long that took."""
        self.stop.set()
        await self.ended.wait()
        return self.took


@asynccontextmanager
async def stopping(tmp_path: Path, remote: ScriptedRemote, clock: VirtualClock) -> AsyncIterator[Stopping]:
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir(mode=0o700)
    parts = Parts(
        clock=clock, in_memory=True, sources=seeded_sources(1),
        providers=[ScriptedProvider(ScriptedOptions(duration=3600), remote)],
        servers=lambda runtime: [attrs.evolve(socket_server(runtime, place), id=place.name) for place in places],
    )  # fmt: skip

    async def run(*, task_status: trio.TaskStatus[Stopping]) -> None:
        async with open_runtime(virtual_settings(), parts) as runtime:
            found = Stopping(runtime, [announced(place) for place in places])
            task_status.started(found)
            await found.stop.wait()
            began = trio.current_time()
        found.took = trio.current_time() - began
        found.ended.set()

    async with trio.open_nursery() as nursery:
        yield await nursery.start(run)


async def test_a_request_and_a_submission_have_the_same_ten_seconds(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Both end 9 s after the stop began: the one is answered, the answer of the other is recorded."""
    clock = VirtualClock()
    remote = ScriptedRemote(clock.now)
    remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=10))
    seen: list[str] = []

    async def answer(stream: trio.SocketStream) -> None:
        await trio.sleep(9)
        async with stream:
            await stream.send_all(BODY[5:])
            seen.append((await stream.receive_some(4096)).split(b"\r\n")[0].decode())

    with capture_logs(logging.DEBUG) as lines:
        async with stopping(tmp_path, remote, clock) as found, trio.open_nursery() as nursery:
            await found.runtime.submit(request())
            await trio.sleep(0.9)
            nursery.start_soon(answer, await found.half_a_request(found.sockets[0]))
            assert await found.stopped() < GRACE
    assert seen == ["HTTP/1.1 200 "]
    assert "job_handed_over" in [line["extra"].get("event") for line in lines]
    assert [call.name for call in remote.calls] == ["submit"]


async def test_all_servers_stop_within_one_grace_whatever_their_clients_do(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Requests of clients that never go on are cut off together, and the stop ends."""
    clock = VirtualClock()
    async with stopping(tmp_path, ScriptedRemote(clock.now), clock) as found:
        streams = [await found.half_a_request(socket) for socket in found.sockets]
        took = await found.stopped()
        for stream in streams:
            await stream.aclose()
    assert GRACE <= took < GRACE + 1
    assert GRACE == 10


async def test_nothing_is_accepted_once_the_stop_has_begun(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Also while a submission still has its grace."""
    clock = VirtualClock()
    remote = ScriptedRemote(clock.now)
    remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=8))
    async with stopping(tmp_path, remote, clock) as found:
        await found.runtime.submit(request())
        await trio.sleep(0.5)
        found.stop.set()
        await trio.sleep(1)
        assert not found.ended.is_set()
        for socket in found.sockets:
            try:
                await trio.open_unix_socket(socket)
            except OSError:
                continue
            raise AssertionError(f"{socket} still accepts connections")
        await found.ended.wait()
