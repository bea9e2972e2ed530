"""A Ray job's output through a whole runtime and its routes: live, in order, no byte twice, to the job's end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import httpx
import orjson
import pytest
import trio
from trio.testing import MockClock

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.jobs.records import JobRequest, JobStatus
from actors.jobs.refusal import Refused
from actors.providers.base import Handle, LogChunk
from actors.providers.errors import Auth
from actors.providers.ray import RayProvider
from actors.runtime import RunningRuntime
from actors.testing import running_runtime
from tests.providers.ray.live import LiveHead

LINES = [f"step {number}: größer\n" for number in range(10)]
JOB = JobRequest(provider="ray", command=("python", "train.py"), user_id="ana", inherited_env={})


@attrs.define
class Stage:
    """A runtime over a live head, and the job that is on it."""

    head: LiveHead
    runtime: RunningRuntime
    job_id: str

    async def play(self, pause: float = 1.0) -> None:
        """The job writes a line after each ``pause``, and ends."""
        for line in LINES:
            await trio.sleep(pause)
            self.head.write(line)
        await trio.sleep(pause)
        self.head.end()


@asynccontextmanager
async def stage(head: LiveHead, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with running_runtime(head.provider(monkeypatch)) as runtime:
        job = await runtime.submit(JOB)
        await trio.sleep(1)
        yield Stage(head, runtime, job.job_id)


@pytest.fixture(params=[[None], [20, 45, 46, None]], ids=["one connection", "lines that break"])
async def on_stage(
    request: pytest.FixtureRequest, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    async with stage(LiveHead(list(request.param)), monkeypatch) as found:
        yield found


async def test_output_arrives_while_it_is_written_and_ends_with_the_job(
    autojump_clock: MockClock, on_stage: Stage
) -> None:
    """Each piece within two seconds of its writing (a line that breaks is taken up again); each byte once, in order."""
    written = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_stage.play)
        async with on_stage.runtime.log_reader.follow(on_stage.job_id) as pieces:
            async for data, cursor in pieces:
                written += data
                assert int(cursor) == len(written)
                assert len(on_stage.head.output.encode()) - len(written) <= 2 * len(LINES[0].encode())
    assert written.decode() == "".join(LINES)
    assert (await on_stage.runtime.jobs.get(on_stage.job_id)).job.status is JobStatus.COMPLETED


async def test_following_ends_when_the_rows_say_so_and_not_a_beat_later(
    autojump_clock: MockClock, on_stage: Stage
) -> None:
    """The stream ends when the cluster is done; the job is looked at then, not at the poller's next turn."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_stage.play, 1.7)
        async with on_stage.runtime.log_reader.follow(on_stage.job_id) as pieces:
            async for _ in pieces:
                pass
        ended = (await on_stage.runtime.jobs.get(on_stage.job_id)).job
        assert ended.status is JobStatus.COMPLETED
        assert trio.current_time() < 11 * 1.7 + 1 + 5


async def test_following_goes_on_from_a_cursor(autojump_clock: MockClock, on_stage: Stage) -> None:
    written = b""
    place = len("".join(LINES[:3]).encode())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_stage.play)
        async with on_stage.runtime.log_reader.follow(on_stage.job_id, str(place)) as pieces:
            async for data, _ in pieces:
                written += data
    assert written.decode() == "".join(LINES[3:])


# The routes.


@asynccontextmanager
async def client(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(runtime)

    async def by_ana(scope, receive, send):  # type: ignore[no-untyped-def]
        await app({**scope, "state": {"peer": Peer(1000, "ana")}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=by_ana), base_url="http://greenroom") as http:
        yield http


async def test_the_route_of_events_tells_each_piece_once_and_how_the_job_ended(
    autojump_clock: MockClock, on_stage: Stage
) -> None:
    async with trio.open_nursery() as nursery, client(on_stage.runtime) as http:
        nursery.start_soon(on_stage.play)
        answer = await http.get(f"/api/jobs/{on_stage.job_id}/logs/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = [orjson.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert "".join(one["text"] for one in told if one["type"] == "output") == "".join(LINES)
    assert [one["type"] for one in told if one["type"] != "output"] == ["connected", "end"]
    assert told[-1] == {"type": "end", "job_id": on_stage.job_id, "status": "completed"}


async def test_the_route_of_bytes_gives_what_was_written_and_nothing_else(
    autojump_clock: MockClock, on_stage: Stage
) -> None:
    async with trio.open_nursery() as nursery, client(on_stage.runtime) as http:
        nursery.start_soon(on_stage.play)
        answer = await http.get(f"/api/jobs/{on_stage.job_id}/logs", params={"follow": "true"})
    assert answer.text == "".join(LINES)


# What goes wrong.


async def test_an_outage_of_the_head_is_waited_out(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker is open by then; whoever begins to follow during the outage is not refused either."""
    head = LiveHead([20, None])
    async with stage(head, monkeypatch) as there:
        head.write(LINES[0] + LINES[1])
        head.down = True
        for _ in range(5):
            await there.runtime.providers.guarded["ray"].check()
        assert there.runtime.providers.guarded["ray"].breaker.retry_after > 0
        written = b""

        async def recover() -> None:
            await trio.sleep(200)
            head.down = False
            head.write(LINES[2])
            head.end()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(recover)
            async with there.runtime.log_reader.follow(there.job_id) as pieces:
                async for data, _ in pieces:
                    written += data
        assert written.decode() == "".join(LINES[:3])
        assert (await there.runtime.jobs.get(there.job_id)).job.status is JobStatus.COMPLETED


async def test_followers_take_no_place_of_a_breaker_that_tries_out(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half open it lets three calls through: three followers would keep the poller out for as long as jobs run."""
    head = LiveHead()
    async with stage(head, monkeypatch) as there:
        guarded = there.runtime.providers.guarded["ray"]
        head.down = True
        for _ in range(5):
            await guarded.check()
        head.down = False  # before anybody may try: a failure then would close the door for another minute
        await trio.sleep(60.5)

        async def follow() -> None:
            async with there.runtime.log_reader.follow(there.job_id) as pieces:
                async for _ in pieces:
                    pass

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(follow)
            await trio.sleep(5)
            assert isinstance(await guarded.check(), dict)
            head.end()


class Refusing(RayProvider):
    """A head that takes no token for the tail."""

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> None:
        await into.send(LogChunk(b"one\n", "4"))
        raise Auth("set RAY_AUTH_TOKEN")


async def test_a_refusal_comes_as_one_after_what_came_before_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = LiveHead()
    monkeypatch.setattr(RayProvider, "follow", Refusing.follow)
    async with stage(head, monkeypatch) as there:
        found: list[bytes] = []

        async def read() -> None:
            async with there.runtime.log_reader.follow(there.job_id) as pieces:
                async for data, _ in pieces:
                    found.append(data)

        with pytest.raises(Refused, match="RAY_AUTH_TOKEN"):
            await read()
        assert found == [b"one\n"]


async def test_what_its_reader_raises_comes_out_as_it_is(autojump_clock: MockClock, on_stage: Stage) -> None:
    """A client that is gone is one error of its writer, not a group of them; and the stream ends with its reader."""
    on_stage.head.write(LINES[0])

    async def read() -> None:
        async with on_stage.runtime.log_reader.follow(on_stage.job_id) as pieces:
            async for _ in pieces:
                raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await read()


async def test_a_job_that_is_cancelled_in_the_queue_has_no_output(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = LiveHead(down=True)
    async with running_runtime(head.provider(monkeypatch)) as runtime:
        job = await runtime.submit(JOB)

        async def cancel() -> None:
            await trio.sleep(5)
            await runtime.cancel(job.job_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            async with runtime.log_reader.follow(job.job_id) as pieces:
                assert [piece async for piece in pieces] == []
