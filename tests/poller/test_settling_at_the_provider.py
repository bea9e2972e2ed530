"""A person's word on an uncertain job reaches the provider, which may keep devices for it until then (B13)."""

from __future__ import annotations

import pytest
import trio

from actors.jobs.records import JobStatus
from actors.jobs.refusal import Refused
from actors.providers.base import Idempotency
from actors.providers.errors import Unavailable
from actors.providers.scripted import Fault, FaultKind, ScriptedOptions, ScriptedProvider
from actors.testing import request


class Keeper(ScriptedProvider):
    """A provider that wants to know."""

    def __init__(self, remote):
        super().__init__(ScriptedOptions(idempotency=Idempotency.NONE), remote, name="keeper")
        self.heard = []
        self.broken = False

    async def settled(self, key):
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise Unavailable("the disk is full")
        self.heard.append(key)


@pytest.fixture
def keeper(world):
    return Keeper(world.remote)


async def uncertain(world, runtime):
    """A job whose submission was not answered, at a provider that cannot look it up."""
    world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=1, accepted=False))
    job = await runtime.submit(request("keeper", duration=5))
    await trio.sleep(100)
    view = await runtime.jobs.get(job.job_id)
    assert view.job.uncertain_since is not None
    return view


@pytest.mark.parametrize(("verdict", "hears"), [("failed", True), ("not_run", True), ("ran", False)])
async def test_a_provider_hears_that_nothing_of_an_uncertain_job_runs(autojump_clock, world, keeper, verdict, hears):
    """Where it ran, the provider goes on with it."""
    async with world.open(others=[keeper]) as runtime:
        view = await uncertain(world, runtime)
        await runtime.jobs.settle(view.job.job_id, verdict, handle={"run": "x"} if verdict == "ran" else None, by="bo")
        assert keeper.heard == ([view.submission.key] if hears else [])


async def test_what_the_provider_cannot_write_down_is_not_settled(autojump_clock, world, keeper):
    """Else its devices would be kept for ever, for a job that nobody can settle any more."""
    async with world.open(others=[keeper]) as runtime:
        view = await uncertain(world, runtime)
        keeper.broken = True
        with pytest.raises(Refused, match="the disk is full"):
            await runtime.jobs.settle(view.job.job_id, "failed", by="bo")
        assert (await runtime.jobs.get(view.job.job_id)).job.uncertain_since is not None
        keeper.broken = False
        await runtime.jobs.settle(view.job.job_id, "failed", by="bo")
        assert (await runtime.jobs.get(view.job.job_id)).job.status is JobStatus.FAILED


async def test_a_certain_job_is_not_settled_behind_its_back(autojump_clock, world, keeper):
    async with world.open(others=[keeper]) as runtime:
        job = await runtime.submit(request("keeper", duration=500))
        await trio.sleep(10)
        with pytest.raises(Refused, match="nothing to settle"):
            await runtime.jobs.settle(job.job_id, "failed", by="bo")
        assert keeper.heard == []
