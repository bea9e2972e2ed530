"""A provider's own reason why a job waits is kept with the job while it waits there, and shown where people look."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from actors.cli.job_text import note
from actors.documents.jobs import job_document
from actors.documents.queue import queue_document
from actors.jobs.records import JobStatus, Rerun
from actors.providers.base import Idempotency
from actors.providers.scripted import ScriptedOptions
from actors.providers.scripted.faults import Fault, FaultKind
from tests.runtime_fixtures import World

WAITS = {"queue_time": 100.0, "duration": 50.0, "waiting_reason": "QOSMaxCpuPerUserLimit"}
SHOWN = "waits at scripted: QOSMaxCpuPerUserLimit"


async def test_it_is_shown_while_the_job_waits_there(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        job = await world.submit(spec=WAITS)
        await trio.sleep(50)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.reason) == (JobStatus.QUEUED, SHOWN)
        document = queue_document(await runtime.queue.view())
        assert [(one["job_id"], one["reason"]) for one in document["at_providers"]] == [(job.job_id, SHOWN)]
        assert document["waiting"] == []
        assert (await runtime.queue.view(user_id="nobody")).at_providers == []
        await trio.sleep(60)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.reason, view.job.waiting_reason) == (JobStatus.RUNNING, None, None)
        assert (await runtime.queue.view()).at_providers == []


async def test_it_belongs_to_one_attempt(autojump_clock: MockClock, world: World) -> None:
    async with world.open() as runtime:
        spec = {**WAITS, "duration": 20.0, "interruptions": 1}
        job = await world.submit(spec=spec, rerun=Rerun(1, delay=30.0))
        await trio.sleep(120)
        view = await runtime.jobs.get(job.job_id)
        assert view.job.status is JobStatus.PENDING
        assert view.job.waiting_reason is None
        assert "runs again" in (view.reason or "")


async def test_of_an_uncertain_job_that_is_the_reason(autojump_clock: MockClock, world: World) -> None:
    """While its provider may still tell, it is being asked; once it cannot, a person is to settle the job (B13)."""
    lost = Fault(FaultKind.LOST_ANSWER, ("submit",), accepted=False)
    world.remote.inject(lost, Fault(FaultKind.DOWN, ("find",), times=None, until=60))
    async with world.open() as runtime:
        job = await world.submit(duration=1)
        await trio.sleep(30)
        asked = await runtime.jobs.get(job.job_id)
        assert (asked.job.uncertain_since, asked.reason) == (
            None,
            "its provider is being asked whether it was accepted",
        )
        assert (await runtime.wait(job.job_id)).status == "completed"
    world.remote.inject(lost)
    async with world.open(options=ScriptedOptions(idempotency=Idempotency.NONE)) as runtime:
        job = await world.submit(duration=1)
        await trio.sleep(60)
        uncertain = await runtime.jobs.get(job.job_id)
        assert uncertain.job.uncertain_since is not None
        assert uncertain.reason is None
        told = note(job_document(uncertain))
        assert "cannot tell whether it was accepted" in told
        assert f"settle {job.job_id[-12:]}" in told
