"""The expiry of approvals while its store fails: it tries again soon, and is restarted where that does not help."""

from __future__ import annotations

import logging

import trio

from actors.jobs.records import JobStatus
from actors.ledger.queries import deadlines
from tests.runtime_fixtures import fail_reading


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
