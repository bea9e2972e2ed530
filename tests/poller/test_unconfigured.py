"""Jobs at a provider that is removed from the configuration: nothing can be asked about them until it is back."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from actors.jobs.records import JobStatus
from actors.providers.scripted import Fault, FaultKind
from actors.testing import request

REASON = "provider scripted is not configured: put providers.scripted back"


@asynccontextmanager
async def started(world, kept_engine, *, configured):
    async with world.open(name="scripted" if configured else "other", engine=kept_engine) as runtime:
        await trio.sleep(60)
        yield runtime


async def left_there(world, kept_engine, *faults):
    """A job that runs at a provider which the next start does not have."""
    async with started(world, kept_engine, configured=True) as runtime:
        world.remote.inject(*faults)
        job = await runtime.submit(request(duration=3600))
        await trio.sleep(60)
    return job.job_id


LOST = (Fault(FaultKind.LOST_ANSWER, ("submit",), times=1), Fault(FaultKind.DOWN, ("find",), times=None, until=100))
"""The answer to the submission is lost, and whether it was accepted cannot be asked before the next start."""


@pytest.mark.parametrize("faults", [(), LOST], ids=["accepted", "unknown outcome"])
async def test_they_are_uncertain_and_are_followed_again_when_it_is_back(autojump_clock, world, kept_engine, faults):
    job_id = await left_there(world, kept_engine, *faults)
    async with started(world, kept_engine, configured=False) as runtime:
        job = (await runtime.jobs.get(job_id)).job
        assert (job.status.value, job.uncertain_reason) == ("uploading" if faults else "running", REASON)
        assert any(reason.startswith("1 job(s) are uncertain") for reason in (await runtime.health.check()).reasons)
    async with started(world, kept_engine, configured=True) as runtime:
        await trio.sleep(300)
        assert (await runtime.jobs.get(job_id)).job.uncertain_since is None
        assert (await runtime.wait(job_id)).status is JobStatus.COMPLETED
    assert len(world.remote.runs) == 1


async def test_a_person_can_settle_them(autojump_clock, world, kept_engine):
    job_id = await left_there(world, kept_engine)
    async with started(world, kept_engine, configured=False) as runtime:
        assert (await runtime.jobs.settle(job_id, "failed", by="bo")).status is JobStatus.FAILED
