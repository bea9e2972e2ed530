"""A job's output as it comes: over connections that break, each byte once; and how a real head sends it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
import trio_websocket

from actors.jobs.records import JobRequest, Resources
from actors.providers.base import LogChunk
from actors.providers.errors import Auth
from actors.providers.log_notices import LogNotice
from actors.providers.ray import RayOptions, RayProvider
from actors.providers.ray.cluster import Cluster
from actors.providers.ray.logs import Follower
from tests.providers.ray.canned import Canned, submit, text
from tests.providers.ray.head import Head

PATIENCE = 60.0  # seconds; only a test that fails waits so long
WHOLE = "eins\nzwei: größer\ndrei\n"


@attrs.define
class Tail:
    """The live output of one job: each connection in turn sends its messages and breaks off, or closes at the end."""

    connections: list[list[str]]
    ended: bool = False
    asked: list[trio_websocket.WebSocketRequest] = attrs.field(factory=list)

    async def serve(self, request: trio_websocket.WebSocketRequest) -> None:
        self.asked.append(request)
        if not self.connections:
            await request.reject(404)
            return
        connection = await request.accept()
        for message in self.connections.pop(0):
            await connection.send_message(message)
        self.ended = not self.connections
        await connection.aclose(1000 if self.ended else 1011)

    async def has_ended(self) -> bool:
        await trio.lowlevel.checkpoint()
        return self.ended


@asynccontextmanager
async def served(tail: Tail) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        start = partial(trio_websocket.serve_websocket, tail.serve, "127.0.0.1", 0, ssl_context=None)
        server = await nursery.start(start)
        yield f"http://127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()


async def followed(run: Callable[[trio.MemorySendChannel[LogChunk]], object]) -> list[LogChunk]:
    """What ``run`` sends until it returns."""
    into, out = trio.open_memory_channel[LogChunk](1000)
    with trio.fail_after(PATIENCE):
        await run(into)  # type: ignore[misc]
    into.close()
    return [chunk async for chunk in out]


async def follow(tail: Tail, whole: str = WHOLE, offset: int = 0) -> list[LogChunk]:
    answers = Canned({"GET /api/jobs/k1/logs": {"logs": whole}})
    cluster = Cluster("ray", RayOptions(), answers.transport)
    async with served(tail) as address:
        return await followed(
            lambda into: Follower(cluster, address, "k1", tail.has_ended, into, offset).run()
        )  # fmt: skip


@pytest.mark.parametrize(
    "connections",
    [
        [["eins\n", "zwei: größer\n", "drei\n"]],
        [["eins\n"], ["eins\n", "zwei: größer\n"], ["eins\nzwei: größer\n", "drei\n"]],
        [["eins\nzwei: gr"], ["eins\n"], ["eins\nzwei: größer\ndrei\n"]],
        [["eins\n", "zwei: größer\n"], ["eins\n"]],
    ],
    ids=["one connection", "each tells more", "cut inside of a line", "the last tells less"],
)
async def test_each_byte_comes_once_however_often_the_line_breaks(connections: list[list[str]]) -> None:
    """Every connection begins at the beginning; what none of them told is read at the end."""
    chunks = await follow(Tail(connections))
    assert b"".join(chunk.data for chunk in chunks) == WHOLE.encode()
    assert [int(chunk.cursor) for chunk in chunks] == sorted({int(chunk.cursor) for chunk in chunks})
    assert int(chunks[-1].cursor) == len(WHOLE.encode())


@pytest.mark.parametrize(
    "connections", [[[WHOLE]], [[WHOLE], ["eins\n"]]], ids=["seen at the end", "seen at the next connection"]
)
async def test_an_output_that_became_shorter_is_told_and_followed_from_its_new_end(
    connections: list[list[str]],
) -> None:
    chunks = await follow(Tail(connections), whole="eins\nneu\n")
    assert b"".join(chunk.data for chunk in chunks if not isinstance(chunk.data, LogNotice)) == WHOLE.encode()
    told = [(chunk.data.text, chunk.cursor) for chunk in chunks if isinstance(chunk.data, LogNotice)]
    text = "the output became shorter: it had at least 25 bytes and has 9 now; what follows is new"
    assert told == [(text, "9")]


async def test_a_reader_whose_place_is_gone_is_told() -> None:
    ray = Canned({"GET /api/jobs/k1/logs": {"logs": "eins\n"}})
    chunks = [chunk async for chunk in ray.provider().logs("k1", {"id": "k1"}, "100")]
    assert [(type(chunk.data), chunk.cursor) for chunk in chunks] == [(LogNotice, "5")]


async def test_following_begins_at_a_cursor() -> None:
    chunks = await follow(Tail([["eins\n"], [WHOLE]]), offset=len(b"eins\nzw"))
    assert b"".join(chunk.data for chunk in chunks).decode() == "ei: größer\ndrei\n"


async def test_an_ended_job_is_read_without_a_connection() -> None:
    tail = Tail([], ended=True)
    assert b"".join(chunk.data for chunk in await follow(tail)) == WHOLE.encode()
    assert tail.asked == []


async def test_a_job_that_the_head_does_not_know_yet_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused handshake ends nothing: only the job's status does. The token goes with each."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", "token-of-the-cluster")
    tail = Tail([])

    async def after_two() -> bool:
        await trio.lowlevel.checkpoint()
        return len(tail.asked) == 2

    cluster = Cluster("ray", RayOptions(), Canned({"GET /api/jobs/k1/logs": {"logs": ""}}).transport)
    async with served(tail) as address:
        chunks = await followed(lambda into: Follower(cluster, address, "k1", after_two, into).run())
    assert chunks == []
    assert {dict(request.headers)[b"authorization"] for request in tail.asked} == {b"Bearer token-of-the-cluster"}


async def test_a_token_that_is_not_accepted_ends_the_following() -> None:
    ray = Canned({"GET /api/jobs/k1": text(403, "Forbidden")})
    into, _ = trio.open_memory_channel[LogChunk](1)
    with pytest.raises(Auth, match="RAY_AUTH_TOKEN"):
        await ray.provider().follow("k1", {"id": "k1"}, into)


@pytest.mark.parts
async def test_a_real_head_tells_live_what_it_tells_whole(shared_head: Head, tmp_path: Path) -> None:
    """Long lines, many lines, none at the end, letters of several bytes; the program's directory was uploaded."""
    (tmp_path / "talk.py").write_text(
        "import pathlib, select, sys\n"
        "print('ä' * 50_000, flush=True)\n"
        "for number in range(200): print(number, 'größer')\n"
        "sys.stdout.write(pathlib.Path('said').read_text()); sys.stdout.flush()\n"
        "while not pathlib.Path(sys.argv[1]).exists(): select.select([], [], [], 0.02)\n"
        "sys.stdout.write('last words')\n"
    )
    (tmp_path / "said").write_text("from a file beside it\n")
    provider = RayProvider(RayOptions(shared_head.address))
    go = tmp_path / "go"
    command = (sys.executable, "talk.py", str(go))
    request = JobRequest(command=command, cwd=str(tmp_path), resources=Resources(cpus=0))
    submitted = await submit(provider, request, key=f"follow-{tmp_path.name}")
    into, out = trio.open_memory_channel[LogChunk](0)
    live = b""

    async def run() -> None:
        async with into:
            await provider.follow("k", submitted.handle, into)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            async for chunk in out:
                live += chunk.data
                if b"from a file beside it\n" in live:
                    go.touch()
    whole = b"".join([chunk.data async for chunk in provider.logs("k", submitted.handle)])
    await provider.aclose()
    assert live == whole
    assert b"199 " + "größer\n".encode() in live
    assert live.endswith(b"last words")
