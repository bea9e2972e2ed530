"""Who follows events may leave at any moment: nobody else notices."""

from __future__ import annotations

import logging

import trio

from actors.testing import request


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
