"""The feed as clients see it: subscribing, resuming, filters, windows."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed

from actors.control import event_reader
from actors.feed.connection import ACK_SECONDS
from actors.runtime import RunningRuntime
from actors.testing import request
from tests.feed.conftest import Client

LONG = 3600


async def test_a_client_sees_what_happens_from_now_on(runtime: RunningRuntime, connect: Client) -> None:
    async with connect() as client:
        answer = await client.subscribe()
        assert answer["type"] == "subscribed"
        job = await runtime.submit(request(duration=LONG))
        event = await client.next()
        assert (event["type"], event["job_id"], event["user_id"]) == ("job_queued", job.job_id, "ana")
        assert event["correlation_id"] == job.correlation_id


async def test_resuming_loses_and_doubles_nothing(
    runtime: RunningRuntime, connect: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From rows to recent events and back: more happened than these hold, and more happens meanwhile."""
    monkeypatch.setattr(runtime.event_reader, "recent", event_reader.RecentEvents(most=3))
    for _ in range(10):
        await runtime.queue.set_limit("total", 5)
    async with connect() as client, trio.open_nursery() as nursery:
        await client.subscribe(after=2, types=["limits_changed"])

        async def go_on() -> None:
            for _ in range(20):
                await runtime.queue.set_limit("total", 6)

        nursery.start_soon(go_on)
        numbers = [(await client.next())["seq"] for _ in range(28)]
    assert numbers == list(range(3, 31))


async def test_clients_are_counted(runtime: RunningRuntime, connect: Client) -> None:
    before = runtime.tallies.subscribers
    async with connect() as client, connect() as other, connect():
        for one in (client, other):
            await one.subscribe()
            await one.subscribe()  # in place of the one before
        await runtime.queue.set_limit("total", 5)
        for one in (client, other):
            await one.next()
        assert runtime.tallies.subscribers == before + 2


async def test_filters_leave_out_the_rest(runtime: RunningRuntime, connect: Client) -> None:
    async with connect() as client:
        first = await runtime.submit(request(duration=LONG))
        await client.subscribe(after=0, user="bo", types=["job_queued"])
        await runtime.submit(request(user_id="cy", duration=LONG))
        second = await runtime.submit(request(user_id="bo", duration=LONG))
        assert (await client.next())["job_id"] == second.job_id
        await client.subscribe(after=0, job_id=first.job_id)
        assert (await client.next())["job_id"] == first.job_id


async def test_a_number_that_was_never_reached_is_a_gap_and_is_not_waited_for(
    runtime: RunningRuntime, connect: Client
) -> None:
    """As after a change of the state directory: the client is told, and sees what happens next."""
    await runtime.queue.set_limit("total", 5)
    async with connect() as client:
        assert (await client.subscribe(after=1000))["after"] == 1
        assert await client.next() == {"type": "gap", "after": 1000, "missing": 0, "resume": 1}
        await runtime.queue.set_limit("total", 6)
        assert (await client.next())["seq"] == 2


@pytest.mark.parametrize("after", [None, 0], ids=["live", "from rows"])
async def test_a_viewer_sees_own_jobs_alone(runtime: RunningRuntime, connect: Client, after: int | None) -> None:
    """Whatever it filters by: another's job, and what is nobody's, do not exist for it."""
    async with connect("ana") as ana:
        await ana.subscribe(after=after)
        await runtime.queue.set_limit("total", 7)
        await runtime.submit(request(user_id="cy", duration=LONG))
        own = await runtime.submit(request(user_id="ana", duration=LONG))
        assert (await ana.next())["job_id"] == own.job_id


async def test_a_window_bounds_what_is_sent_ahead(runtime: RunningRuntime, connect: Client) -> None:
    for _ in range(5):
        await runtime.queue.set_limit("total", 5)
    async with connect() as client:
        await client.subscribe(after=0, window=2)
        assert [(await client.next())["seq"] for _ in range(2)] == [1, 2]
        await client.say(type="ping")
        assert (await client.next())["type"] == "pong"  # and not event 3
        await client.say(type="ack", seq=1)
        assert (await client.next())["seq"] == 3
        await client.say(type="ack", seq=3)
        assert [(await client.next())["seq"] for _ in range(2)] == [4, 5]


async def test_who_never_acknowledges_is_told_where_to_resume(
    runtime: RunningRuntime, connect: Client, mock_clock: trio.testing.MockClock
) -> None:
    for _ in range(3):
        await runtime.queue.set_limit("total", 5)
    async with connect() as client:
        await client.subscribe(after=0, window=1)
        await client.next()
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(ACK_SECONDS)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
    assert (closed.value.reason.code, closed.value.reason.reason) == (1013, "not acknowledged; resume after 0")
