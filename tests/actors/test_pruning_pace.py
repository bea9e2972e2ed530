"""How the pruner removes many jobs: in batches with pauses, which depend on whether others write."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
import trio

from actors import pruner
from actors.ledger.prune import remove
from actors.store import text_search

AFTER = timedelta(days=91)


async def ended(world, number):
    """So many jobs that ended longer ago than jobs are kept."""
    for job in [await world.submit(duration=5) for _ in range(number)]:
        await world.runtime.wait(job.job_id)
    world.clock.suspend(AFTER)


def removals_of(runtime, monkeypatch, *, others=()):
    """The removals that follow, as a list that grows: how many jobs, and when.

    ``others``: before which of them, counted from 0, somebody else writes.
    """
    removals = []
    real = runtime.ledger.write

    async def write(verb, *args, **kwargs):
        if verb is remove:
            if len(removals) in others:
                await runtime.queue.set_limit("total", 7)
            removals.append((len(args[1]), trio.current_time()))
        return await real(verb, *args, **kwargs)

    monkeypatch.setattr(runtime.ledger, "write", write)
    return removals


def pauses(removals):
    """Seconds from each removal to the next: no time passes during one."""
    return [later - earlier for (_, earlier), (_, later) in pairwise(removals)]


async def test_many_jobs_go_in_batches_with_a_pause_after_each(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(pruner, "BATCH", 2)
    async with world.open() as runtime:
        await ended(world, 5)
        removals = removals_of(runtime, monkeypatch)
        result = await runtime.jobs.prune()
        assert (result.jobs, [number for number, _ in removals]) == (5, [2, 2, 1])
        assert pauses(removals) == pytest.approx([pruner.PAUSE, pruner.PAUSE])


async def test_while_others_write_fewer_jobs_go_at_a_time_and_the_pauses_are_longer(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(pruner, "BATCH", 4)
    monkeypatch.setattr(pruner, "BATCH_FOR_OTHERS", 2)
    async with world.open() as runtime:
        await ended(world, 12)
        removals = removals_of(runtime, monkeypatch, others=(0, 1))
        assert (await runtime.jobs.prune()).jobs == 12
        assert [number for number, _ in removals] == [4, 2, 2, 4]
        assert pauses(removals) == pytest.approx([pruner.PAUSE_FOR_OTHERS, pruner.PAUSE_FOR_OTHERS, pruner.PAUSE])


async def test_what_is_removed_leaves_few_parts_of_the_index_and_a_short_log(autojump_clock, world, monkeypatch):
    """However many batches there are: parts are merged, and the log is moved, between them."""
    monkeypatch.setattr(pruner, "BATCH", 1)
    monkeypatch.setattr(pruner, "MERGE_AFTER", 4)
    moved = []
    async with world.open() as runtime:

        async def move_log():
            moved.append(True)

        monkeypatch.setattr(runtime.ledger.store, "move_log", move_log)
        await ended(world, 60)
        await runtime.ledger.store.write(lambda tx: text_search.fill(tx.connection, 100))
        assert (await runtime.jobs.prune()).jobs == 60
        parts = "SELECT count(DISTINCT segid) FROM job_texts_idx"
        assert await runtime.ledger.read(lambda connection: connection.exec_driver_sql(parts).scalar_one()) < 20
    assert len(moved) == 60 // pruner.MERGE_AFTER
