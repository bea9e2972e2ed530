"""Following events: each once, from rows or as they were published; who leaves troubles nobody."""

from __future__ import annotations

import gc
import logging
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing

from actors.control.event_reader import RecentEvents
from actors.jobs.records import Event
from actors.ledger import Ledger
from actors.ledger.prune import remove
from actors.testing import request

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)


async def test_leaving_a_stream_of_events_while_they_come_troubles_nobody(world, caplog, autojump_clock):
    """An event between the end of a stream and the end of its subscription met a closed channel, and an error's log."""
    caplog.set_level(logging.WARNING)
    async with world.open() as runtime, trio.open_nursery() as nursery:
        submitted = trio.Event()

        @nursery.start_soon
        async def submit() -> None:
            for _ in range(50):
                await runtime.submit(request())
            submitted.set()

        left = 0
        while not submitted.is_set():
            async with runtime.events(after=0) as changes:
                await anext(changes)
            left += 1
        assert left > 1
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_what_was_published_is_what_stands_in_the_rows(world, autojump_clock, monkeypatch):
    """The events of whole lives, as they were published, equal those in the rows, and no row was read for them."""
    async with world.open() as runtime, runtime.events() as published:
        approved, rejected, plain = [await world.submit(requires_approval=why) for why in ("big", "dear", "")]
        monkeypatch.setattr(runtime.event_reader, "past_events", None)
        seen = [await anext(published)]
        await runtime.approve(approved.job_id, by="bo")
        await runtime.reject(rejected.job_id, by="bo", reason="too dear")
        for job in (approved, rejected, plain):
            await runtime.wait(job.job_id)
        monkeypatch.undo()
        rows = await world.events()
        assert len({event.type for event in rows}) > 5
        monkeypatch.setattr(runtime.event_reader, "past_events", None)
        while len(seen) < len(rows):
            seen.append(await anext(published))
        assert seen == rows


@pytest.mark.parametrize(
    ("published", "seq", "after"),
    [
        ([], 0, None),
        ([3, 4, 5], 3, [4, 5]),
        ([3, 4, 5], 2, [3, 4, 5]),
        ([3, 4, 5], 1, None),  # 2 was written before anybody listened
        ([3, 4, 5], 5, []),
        ([3, 4, 5], 6, None),
        ([3, 4, 4, 3, 5], 2, [3, 4, 5]),
        ([3, 4, 7], 4, None),  # 5 and 6 are another process's
        ([3, 4, 7], 6, [7]),
        ([*range(1, 30)], 20, [*range(21, 30)]),
        ([*range(1, 30)], 2, None),
    ],
)
def test_the_newest_events_are_known_only_without_a_gap(published, seq, after):
    """What lies before them, or between, is left to the rows."""
    recent = RecentEvents(most=10)
    for number in published:
        recent.keep(Event(number, NOON, "job_queued", None, "c"))
    kept = recent.after(seq)
    assert (None if kept is None else [event.seq for event in kept]) == after


@pytest.mark.parametrize("filters", [{}, {"user_id": "ana"}, {"types": ["job_status_changed"]}], ids=str)
async def test_an_event_costs_no_query_however_many_read_it(world, autojump_clock, monkeypatch, filters):
    """Each reader reads the store to find its place, and no more: readers with a user's filter, too."""
    ledger_read, reads, readers, jobs = Ledger.read, 0, 50, 10

    async def counted(self, query, *args, **kwargs):
        nonlocal reads
        reads += 1
        return await ledger_read(self, query, *args, **kwargs)

    async def run_jobs(runtime):
        nonlocal reads
        reads = 0
        for _ in range(jobs):
            job = await runtime.submit(request(user_id="ana"))
            await runtime.wait(job.job_id)
        return reads

    async with world.open() as runtime, trio.open_nursery() as nursery:
        monkeypatch.setattr(Ledger, "read", counted)
        alone = await run_jobs(runtime)
        seen = [[] for _ in range(readers)]

        async def follow(into, *, task_status):
            async with runtime.events(**filters) as events:
                task_status.started()
                async for event in events:
                    into.append(event)

        for into in seen:
            await nursery.start(follow, into)
        began, last = reads - alone, (await world.events())[-1].seq
        beside = await run_jobs(runtime)
        await trio.testing.wait_all_tasks_blocked()
        assert began <= 2 * readers + 1
        assert beside == alone
        told = list(await runtime.event_reader.past_events(after=last, **filters))
        assert len(told) >= jobs
        assert all(into == told for into in seen)
        nursery.cancel_scope.cancel()


async def test_who_resumes_is_not_told_of_what_was_removed(world, autojump_clock):
    """It was told of a gap in their place, though they are among the recent events; the newest of them, too."""
    async with world.open() as runtime:
        kept, gone = [await world.submit() for _ in range(2)]
        for job in (kept, gone):
            await runtime.wait(job.job_id)
        await runtime.ledger.write(remove, runtime.clock.now() + timedelta(days=1), [gone.job_id])
        left = await world.events()
        async with runtime.events(after=0) as events:
            seen = [await anext(events) for _ in left]
            changed = await world.submit()
            seen.append(await anext(events))
        assert seen[:-1] == list(left)
        assert seen[-1].job_id == changed.job_id


async def test_events_can_be_read_without_a_block_and_end_with_their_reader(world, autojump_clock):
    """``async for event in runtime.events(...)``: left by a break, nothing of it stays on the bus."""
    async with world.open() as runtime:
        job = await runtime.submit(request())
        on_bus = runtime.event_reader.bus._subscriptions
        before, subscribers = list(on_bus), runtime.tallies.subscribers
        async for event in runtime.events(after=0, job_id=job.job_id):
            assert event.job_id == job.job_id
            assert len(on_bus) == len(before) + 1
            if event.data.get("status") == "completed":
                break
        gc.collect()
        assert (list(on_bus), runtime.tallies.subscribers) == (before, subscribers)


async def test_a_wait_that_is_cancelled_loses_no_event_and_a_left_block_ends_its_events(world, autojump_clock):
    async with world.open() as runtime:
        async with runtime.events() as events:
            for _ in range(3):
                with trio.move_on_after(1):
                    await anext(events)
            job = await world.submit()
            await runtime.wait(job.job_id)
            for _ in range(2):
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await anext(events)
            seen = [await anext(events) for _ in await world.events()]
            assert seen == await world.events()
            await world.submit()
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_who_waits_for_an_event_waits_no_more_once_its_reader_is_closed(world, autojump_clock):
    async with world.open() as runtime, runtime.events() as events, trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(StopAsyncIteration):
                await anext(events)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        events.close()
