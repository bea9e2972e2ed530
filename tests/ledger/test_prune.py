"""What a pruning would remove, and what keeps it from that, before anything is removed (C6)."""

from __future__ import annotations

from datetime import timedelta

import attrs

from actors.jobs.retention import HOLD_SECONDS, Hold
from actors.ledger.prune import outlook, release_hold, review
from actors.store import holds


async def test_what_is_held_is_said_also_where_nothing_is_removed_by_its_age(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(duration=1)
        await runtime.wait(job.job_id)
        later = world.clock.now() + timedelta(days=1)
        assert (await runtime.ledger.read(outlook, None)).held is None
        assert (await runtime.ledger.read(outlook, world.clock.now() - timedelta(days=1))).held is None
        hold = Hold("the wall clock went forward", world.clock.now())
        await runtime.ledger.write(lambda tx: holds.write(tx.connection, hold, tx.now))
        for before, jobs in ((None, 0), (later, 1)):
            found = await runtime.ledger.read(outlook, before)
            assert (found.jobs, found.held) == (jobs, hold.in_words())
        await runtime.ledger.write(release_hold)
        for before in (None, later):
            assert (await runtime.ledger.read(outlook, before)).held is None


MANY, KEPT = 10_000, 10_001
"""So many of so many jobs at once go only after a hold."""


async def test_a_hold_begins_where_too_much_would_go_warns_once_and_ends_with_what_it_held(autojump_clock, world):
    async with world.open() as runtime:

        async def reviewed(old, kept=KEPT, **more):
            found = await runtime.ledger.write(review, old, kept, **more)
            held = None if found.hold is None else (found.hold.reason, found.hold.ran)
            return held, found.old, found.warn

        async def stored():
            return await runtime.ledger.read(holds.read)

        assert await reviewed(1) == (None, 1, False)
        assert await stored() is None
        reason = f"{MANY} of {KEPT} jobs would be removed in one pass"
        assert await reviewed(MANY) == ((reason, 0.0), MANY, True)
        assert await reviewed(MANY, ran=60.0) == ((reason, 60.0), MANY, False)
        assert (await stored()).ran == 60.0
        assert await reviewed(MANY, ran=HOLD_SECONDS - 60.0) == (None, MANY, False)
        assert (await stored()).over  # what it held may go in several passes
        assert await reviewed(MANY) == (None, MANY, False)
        assert await reviewed(1) == (None, 1, False)
        assert await stored() is None
        assert await reviewed(MANY) == ((reason, 0.0), MANY, True)  # another one begins as any other


async def test_a_hold_that_keeps_nothing_warns_of_nothing_until_it_does(autojump_clock, world):
    async with world.open() as runtime:
        hold = Hold("the wall clock went forward", world.clock.now())
        await runtime.ledger.write(lambda tx: holds.write(tx.connection, hold, tx.now))
        for old, warns in ((0, False), (0, False), (1, True), (1, False), (0, False)):
            found = await runtime.ledger.write(review, old, 10, ran=1.0)
            assert (found.old, found.warn) == (old, warns)
            assert attrs.evolve(found.hold, ran=0.0, warned=False) == hold
