"""The stream of events (B24): every change once and in order, resumed, filtered, alive, ended in order, gaps told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import trio

from actors.api.app import create_app
from actors.api.socket_file import announced
from actors.api.unix import socket_server
from actors.jobs import maxima
from actors.jobs.events import EventType
from actors.ledger.prune import remove
from supervision import open_supervisor
from tests.api.frames import PATIENCE, Frames, closed, submit
from tests.api.servers import bearer


async def test_the_stream_begins_with_a_connection_then_tells_each_change_once(
    socket: Path, client: httpx.AsyncClient
) -> None:
    """B24: `connection` first, its id where the stream begins; ids ascend.

    job_status_changed is an unnamed message with type, job_id and status.
    """
    frames = await Frames.open(socket)
    async with frames.stream:
        assert await frames.next() == {"id": "0", "event": "connection", "data": '{"type":"connected"}'}
        made = await submit(client)
        seen = [await frames.next() for _ in range(4)]
    assert [int(one["id"]) for one in seen] == [1, 2, 3, 4]
    assert seen[0]["event"] == "job_queued"
    unnamed = [one["data"] for one in seen if "event" not in one]
    assert unnamed
    assert all('"type":"job_status_changed"' in data and f'"job_id":"{made["job_id"]}"' in data for data in unnamed)


@pytest.mark.parametrize(
    ("query", "header"), [("?after=2", ""), ("", "Last-Event-ID: 2\r\n"), ("?after=0", "Last-Event-ID: 2\r\n")]
)
async def test_a_reader_goes_on_where_it_was(socket: Path, client: httpx.AsyncClient, query: str, header: str) -> None:
    """Without loss or doubles; the header wins, since a browser sends it when it connects again."""
    await submit(client)
    frames = await Frames.open(socket, query, header)
    async with frames.stream:
        await frames.next()
        assert [int((await frames.next())["id"]) for _ in range(2)] == [3, 4]


async def test_filters_leave_the_rest_away(socket: Path, client: httpx.AsyncClient) -> None:
    first, second = await submit(client), await submit(client)
    frames = await Frames.open(socket, f"?after=0&job_id={second['job_id']}&types=job_queued,job_dispatched")
    async with frames.stream:
        await frames.next()
        seen = [await frames.next() for _ in range(2)]
    assert [one["event"] for one in seen] == ["job_queued", "job_dispatched"]
    assert not any(first["job_id"] in one["data"] for one in seen)


async def test_a_reader_of_one_job_with_an_id_that_no_event_has_yet_hears_what_comes(
    socket: Path, client: httpx.AsyncClient
) -> None:
    """As of a reader from before a restore: the stream goes on from the newest event, and says that."""
    made = await submit(client)
    frames = await Frames.open(socket, f"?job_id={made['job_id']}", "Last-Event-ID: 5000\r\n")
    async with frames.stream:
        first = await frames.next()
        assert int(first["id"]) < 5000
        assert (await frames.next())["event"] == "gap"
        await client.post(f"/api/jobs/{made['job_id']}/cancel")
        assert int((await frames.next())["id"]) == int(first["id"]) + 1


async def test_so_many_types_are_asked_for_and_no_more_however_they_are_written(edge: Any) -> None:
    """One text may name many: each is a parameter of every read of this stream."""
    names = ",".join(f"t{number}" for number in range(maxima.CHOICES + 1))
    with trio.fail_after(PATIENCE):
        refused = await edge.http.get("/api/events", params={"types": names})
    assert (refused.status_code, refused.json()["field"]) == (422, "types")


async def test_a_quiet_stream_gives_signs_of_life(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.api.sse.HEARTBEAT", 0.001)
    frames = await Frames.open(socket)
    async with frames.stream:
        await frames.next()
        assert await frames.next() == {"": "heartbeat"}


async def test_when_the_server_stops_a_stream_says_goodbye(runtime: Any, tmp_path: Path) -> None:
    """The stream is ended in order, within the grace, and the server's child ends with it."""
    async with open_supervisor([socket_server(runtime, tmp_path)]) as supervisor:
        frames = await Frames.open(announced(tmp_path))
        async with frames.stream:
            await frames.next()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervisor.stop_child, "socket")
                assert (await frames.next())["event"] == "goodbye"
                assert await closed(frames.stream) == b""


async def test_over_http_1_1_a_stream_is_made_of_whole_chunks(runtime: Any, tmp_path: Path) -> None:
    """What is written to the connection directly has the framing of RFC 9112, 7.1, from the head to the last chunk."""
    async with (
        open_supervisor([socket_server(runtime, tmp_path)]) as supervisor,
        await trio.open_unix_socket(announced(tmp_path)) as stream,
        trio.open_nursery() as nursery,
    ):
        await stream.send_all(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        taken = b""
        while b'"connected"' not in taken:
            taken += await stream.receive_some(65536)
        for limit in range(3):
            await runtime.queue.set_limit("total", limit + 1)
        while taken.count(b"limits_changed") < 3:
            taken += await stream.receive_some(65536)
        nursery.start_soon(supervisor.stop_child, "socket")
        taken += await closed(stream)
    head, _, body = taken.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    chunks = list(_chunks(body))
    assert chunks.pop() == b""
    events = [event.partition(b"\n")[0] for event in b"".join(chunks).split(b"\n\n")]
    assert events == [b"id: 0", b"id: 1", b"id: 2", b"id: 3", b"event: goodbye", b""]
    assert all(piece.endswith(b"\n\n") for piece in chunks)  # of one event, or of several that came together


def _chunks(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        assert body[length : length + 2] == b"\r\n"
        yield body[:length]
        body = body[length + 2 :]


async def test_what_was_removed_since_is_told_as_a_gap(socket: Path, client: httpx.AsyncClient, runtime: Any) -> None:
    """A reader who comes back after a pruning is told how much it missed, then all that is still there, once."""
    gone = await submit(client, spec={"duration": 0})
    await runtime.wait(gone["job_id"])
    kept = await submit(client)
    removed = (await runtime.ledger.write(remove, runtime.clock.now() + timedelta(days=1), [gone["job_id"]])).events
    left = await runtime.event_reader.past_events()
    frames = await Frames.open(socket, header="Last-Event-ID: 0\r\n")
    async with frames.stream:
        assert (await frames.next())["event"] == "connection"
        gap = await frames.next()
        assert (gap["event"], "id" in gap) == ("gap", False)
        assert orjson.loads(gap["data"]) == {"type": "gap", "after": 0, "missing": removed, "resume": 0}
        seen = [int((await frames.next())["id"]) for _ in left]
    assert seen == [event.seq for event in left]
    assert left[-1].job_id == kept["job_id"]


async def test_where_nothing_was_removed_after_the_number_there_is_no_gap(
    socket: Path, client: httpx.AsyncClient, runtime: Any
) -> None:
    gone = await submit(client, spec={"duration": 0})
    await runtime.wait(gone["job_id"])
    last = (await runtime.event_reader.past_events())[-1].seq
    await submit(client)
    await runtime.ledger.write(remove, runtime.clock.now() + timedelta(days=1), [gone["job_id"]])
    frames = await Frames.open(socket, f"?after={last}")
    async with frames.stream:
        assert (await frames.next())["event"] == "connection"
        assert int((await frames.next())["id"]) == last + 1


async def test_a_number_from_another_store_is_a_gap_and_what_follows_is_told(
    socket: Path, client: httpx.AsyncClient
) -> None:
    """Otherwise a reader would hear nothing until this store had written as many."""
    frames = await Frames.open(socket, header="Last-Event-ID: 9000\r\n")
    async with frames.stream:
        await frames.next()
        gap = orjson.loads((await frames.next())["data"])
        assert gap == {"type": "gap", "after": 9000, "missing": 0, "resume": 0}
        await submit(client)
        assert (await frames.next())["id"] == "1"


async def test_events_of_one_users_jobs(socket: Path, client: httpx.AsyncClient) -> None:
    """Changes of no job, such as a pause, are nobody's."""
    await client.post("/api/queue/pause", json={})
    await submit(client, user_id="bo")
    mine = await submit(client, user_id="ana")
    frames = await Frames.open(socket, "?after=0&user=ana&types=job_queued&types=queue_paused")
    async with frames.stream:
        await frames.next()
        assert orjson.loads((await frames.next())["data"])["job_id"] == mine["job_id"]


async def seen_by_ana(runtime: Any, query: str, frames: int) -> tuple[int, list[bytes]]:
    """What a stream that a viewer named ana opens answers: its status, and its first frames."""
    app, token = create_app(runtime), (await bearer(runtime, "viewer", "ana"))["Authorization"]
    pieces, status, enough = [], 0, trio.Event()

    async def receive() -> dict[str, Any]:
        if not pieces and not status:
            return {"type": "http.request", "body": b"", "more_body": False}
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        await trio.lowlevel.checkpoint()
        status = message.get("status", status)
        pieces.extend([message["body"]] if message.get("body") else [])
        if len(pieces) >= frames:
            enough.set()

    scope = {
        "type": "http", "method": "GET", "path": "/api/events", "raw_path": b"/api/events",
        "headers": [(b"host", b"localhost"), (b"authorization", token.encode())], "client": ("127.0.0.1", 5),
        "query_string": query.encode(), "state": {}, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    with trio.fail_after(PATIENCE):
        await app(scope, receive, send)
    return status, pieces


async def test_a_viewer_is_told_of_their_own_jobs_alone(runtime: Any, client: httpx.AsyncClient) -> None:
    await submit(client, user_id="bo")
    mine = await submit(client, user_id="ana")
    _, pieces = await seen_by_ana(runtime, "after=0&types=job_queued", 2)
    assert b"connection" in pieces[0]
    assert mine["job_id"].encode() in pieces[1]


async def test_a_viewer_is_not_told_of_somebody_elses_job(runtime: Any, client: httpx.AsyncClient) -> None:
    """By its id it is as if it were not there; by its user it is refused."""
    other = await submit(client, user_id="bo")
    assert (await seen_by_ana(runtime, f"job_id={other['job_id']}", 1))[0] == 404
    assert (await seen_by_ana(runtime, "user=bo", 1))[0] == 403


async def test_output_is_streamed_until_the_job_ends_and_resumed_by_cursor(
    socket: Path, client: httpx.AsyncClient, runtime: Any
) -> None:
    """`output` events whose texts are the output, then `end`; after an id the rest comes, without loss or doubles."""
    made = await submit(client, spec={"duration": 0, "progress": 4})
    await runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/logs"
    whole = (await client.get(path)).text

    async def told(header: str = "") -> list[dict[str, str]]:
        frames = await Frames.open(socket, path=f"{path}/stream", header=header)
        found = []
        async with frames.stream:
            while not found or found[-1]["event"] != "end":
                found.append(await frames.next())
        return found

    first, *output, end = await told()
    assert first["event"] == "connection"
    assert {one["event"] for one in output} == {"output"}
    assert "".join(orjson.loads(one["data"])["text"] for one in output) == whole != ""
    assert orjson.loads(end["data"])["status"] == "completed"
    _, *rest, _ = await told(f"Last-Event-ID: {output[0]['id']}\r\n")
    assert [one["id"] for one in rest] == [one["id"] for one in output[1:]]


async def test_every_type_of_event_is_listed_with_whether_it_is_a_name(client: httpx.AsyncClient) -> None:
    """B24: two types come as unnamed messages; a browser is told of the others only if it listens for their names."""
    types = {one["type"]: one["named"] for one in (await client.get("/api/events/types")).json()["types"]}
    assert {name for name, named in types.items() if not named} == {"job_status_changed", "approval_expired"}
    assert set(types) == set(EventType)
