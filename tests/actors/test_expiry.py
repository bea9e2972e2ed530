"""The expiry of approvals while its store fails: it tries again soon, and is restarted where that does not help."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise

import trio

from actors.jobs.options import ExpiryOptions
from actors.jobs.records import JobStatus
from actors.ledger.approvals import expire
from actors.ledger.queries import deadlines
from actors.store.errors import StoreUnavailable
from tests.runtime_fixtures import fail_reading


async def test_while_its_store_fails_what_is_due_is_tried_again_every_five_seconds(autojump_clock, world, monkeypatch):
    """Not only after its interval, and not without a pause."""
    async with world.open() as runtime:
        job = await world.submit(requires_approval="big")
        await trio.sleep(1)
        fail_reading(monkeypatch, runtime, deadlines)
        failing, tried = runtime.ledger.read, []

        async def read(query, *args, **kwargs):
            if query is deadlines:
                tried.append(trio.current_time())
            return await failing(query, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "read", read)
        world.clock.suspend((await runtime.jobs.get(job.job_id)).approval.expires_at - world.clock.now())
        await trio.sleep(ExpiryOptions().interval_seconds)
        assert [later - earlier for earlier, later in pairwise(tried[:4])] == [5.0] * 3
        monkeypatch.undo()


async def test_five_faulty_sweeps_in_a_row_fail_it_and_its_supervisor_starts_it_again(
    autojump_clock, world, caplog, monkeypatch
):
    caplog.set_level(logging.WARNING)

    def restarts(runtime):
        children = next(node for node in runtime.tree.describe() if node["id"] == "actors")["children"]
        return {node["id"]: node["restarts"] for node in children}["expiry"]

    async with world.open() as runtime:
        job = await world.submit(requires_approval="big")
        await trio.sleep(1)
        fail_reading(monkeypatch, runtime, deadlines)
        world.clock.suspend((await runtime.jobs.get(job.job_id)).approval.expires_at - world.clock.now())
        with trio.fail_after(3_600):
            while restarts(runtime) == 0:  # noqa: ASYNC110 - in virtual time
                await trio.sleep(0.5)
        logged = [record.message for record in caplog.records]
        assert logged[: logged.index("Child has failed")] == ["Error in approval expiry"] * 5
        monkeypatch.undo()
        with trio.fail_after(3_600):
            assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED


async def test_what_expired_before_a_later_write_failed_is_in_the_log(autojump_clock, world, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "actors.expiry")
    async with world.open() as runtime:
        for _ in range(3):
            await world.submit(requires_approval="big")
        real, written = runtime.ledger.write, []

        async def write(verb, *args, **kwargs):
            if verb is expire:
                written.append(args)
                if len(written) == 3:
                    raise StoreUnavailable("disk I/O error")
            return await real(verb, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "write", write)
        world.clock.suspend(timedelta(hours=runtime.settings.approvals.timeout_hours, seconds=60))
        await trio.sleep(ExpiryOptions().interval_seconds * 2)
    told = [record.message for record in caplog.records if record.message.startswith("Expired")]
    assert told == ["Expired 2 approval requests", "Expired 1 approval requests"]
