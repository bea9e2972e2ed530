"""Following events: each once, from rows or as they were published; who leaves troubles nobody."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
import trio

from actors.control.event_reader import RecentEvents
from actors.jobs.records import Event
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
    newest = RecentEvents(most=10)
    for number in published:
        newest.keep(Event(number, NOON, "job_queued", None, "c"))
    kept = newest.after(seq)
    assert (None if kept is None else [event.seq for event in kept]) == after
