"""What a pruning would remove, and what keeps it from that, before anything is removed (C6)."""

from __future__ import annotations

from datetime import timedelta

from actors.jobs.retention import Hold
from actors.ledger.prune import outlook, release_hold
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
