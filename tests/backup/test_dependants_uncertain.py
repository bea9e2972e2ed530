"""A job that waited for others in the backup and may have run since: put back, it ends or waits as they did (F3)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import Restored
from actors.providers.base import Idempotency
from actors.providers.scripted import ScriptedOptions
from actors.providers.scripted.faults import Fault, FaultKind
from actors.testing import request

NONE = ScriptedOptions(idempotency=Idempotency.NONE)
FOUR = Limits(total=4, per_user=4)


@attrs.frozen
class Stage:
    runtime: object
    parents: tuple
    waiting: object

    async def put_back(self):
        await self.runtime.jobs.settle(self.waiting.job_id, "not_run", by="root")
        await trio.sleep(20)

    async def parents_end(self):
        for parent in self.parents:
            await self.runtime.wait(parent.job_id)
        await trio.sleep(20)

    async def its_end(self):
        with trio.fail_after(60):
            return await self.runtime.wait(self.waiting.job_id)


@asynccontextmanager
async def in_doubt(site, result="failed", **child):
    """Two parents that run in the backup and afterwards, and a job that waits for them and is in doubt afterwards."""
    async with site.open(site.original, options=NONE, limits=FOUR) as runtime:
        parents = [
            await runtime.submit(request(duration=1_000, config_name=name, result=end))
            for name, end in (("one", result), ("two", "completed"))
        ]
        waiting = await runtime.submit(request(duration=10, after=("one", "two"), **child))
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new, options=NONE, limits=FOUR) as runtime:
        while await runtime.restore.to_look_up():  # noqa: ASYNC110 - in virtual time
            await trio.sleep(1)
        assert (await runtime.jobs.row(waiting.job_id)).uncertain_since is not None
        await runtime.queue.resume(None, by="root")
        yield Stage(runtime, tuple(parents), waiting)


@pytest.mark.parametrize("child", [{}, {"requires_approval": "why"}])
@pytest.mark.parametrize("parents_first", [True, False])
async def test_the_bad_end_of_a_parent_cancels_it_whichever_came_first(autojump_clock, site, child, parents_first):
    async with in_doubt(site, **child) as here:
        steps = [here.parents_end, here.put_back]
        for step in steps if parents_first else reversed(steps):
            await step()
        ended = await here.its_end()
        assert (ended.status, ended.error_message) == ("cancelled", "one, which it waits for, failed")
        view = await here.runtime.jobs.get(here.waiting.job_id)
        assert {(one.name, one.status, one.broke) for one in view.waits_for.jobs} == {
            ("one", "failed", True),
            ("two", "completed", False),
        }


@pytest.mark.parametrize("parents_first", [True, False])
@pytest.mark.parametrize(("result", "child"), [("completed", {}), ("failed", {"after_mode": "ended"})])
async def test_an_end_that_it_waited_for_lets_it_start(autojump_clock, site, result, child, parents_first):
    async with in_doubt(site, result, **child) as here:
        steps = [here.parents_end, here.put_back]
        for step in steps if parents_first else reversed(steps):
            assert (await here.runtime.jobs.row(here.waiting.job_id)).status in {"uploading", "pending"}
            await step()
        assert (await here.its_end()).status == "completed"


@pytest.mark.parametrize("ran", [True, False])
async def test_the_bad_end_of_a_parent_waits_for_what_the_provider_says(autojump_clock, site, ran):
    """Its provider cannot be asked yet when the parent's end is known: it may run there."""
    async with site.open(site.original, limits=FOUR) as runtime:
        parent = await runtime.submit(request(duration=100, config_name="one"))
        child = await runtime.submit(request(duration=5_000, after=("one",)))
        await trio.sleep(1)
        site.take()
        if ran:
            await runtime.wait(parent.job_id)
            await trio.sleep(20)
    await site.restore()
    for run in site.remote.runs_of(f"{parent.job_id}-1"):
        run.forgotten = True  # as a directory that was not in the backup
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=None))
    async with site.open(site.new, limits=FOUR) as runtime:
        await trio.sleep(20)
        await runtime.jobs.settle(parent.job_id, "failed", by="root")
        await trio.sleep(20)
        waiting = await runtime.jobs.get(child.job_id)
        assert (waiting.job.status, waiting.entry.restored) == ("pending", Restored.LOOK_UP)
        site.remote.heal()
        await trio.sleep(30)
        after = await runtime.jobs.row(child.job_id)
        if ran:
            assert (after.status, after.error_message) == ("running", None)
        else:
            assert (after.status, after.error_message) == ("cancelled", "one, which it waits for, failed")
