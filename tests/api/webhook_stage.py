"""A runtime that learns by webhooks alone how its jobs fare at a fake Replicate, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import orjson
import trio

from actors.api.webhooks import create_webhook_app
from actors.jobs.options import PollerOptions
from actors.jobs.records import Job, JobRequest, JobStatus, SubmissionState
from actors.kernel import VirtualClock
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.runtime import Parts, RunningRuntime
from actors.store import submissions
from actors.testing import running_runtime, seeded_sources, virtual_settings
from actors.testing.fake_replicate import FakeReplicate, FakeTransport, RemoteJob, signed

HOOK = "https://greenroom.example/api/webhooks/replicate"


@attrs.define
class Stage:
    """A runtime whose only timed look is its first, the fake at which its jobs run, and a client of its webhooks."""

    clock: VirtualClock
    fake: FakeReplicate
    runtime: RunningRuntime
    http: httpx.AsyncClient

    async def submit(self, **script: Any) -> Job:
        """Submit a job and wait until it was handed over, or its answer was lost."""
        spec = {"model": "ana/model", "input": {"fake": script}}
        job = await self.runtime.submit(JobRequest(provider="replicate", spec=spec, user_id="ana", inherited_env={}))
        await trio.sleep(1)
        assert await self.state(job) is not SubmissionState.INTENT
        return job

    async def state(self, job: Job) -> SubmissionState:
        """What is known of its hand-over."""
        found = await self.runtime.ledger.read(lambda connection: submissions.newest(connection, job.job_id))
        return SubmissionState.INTENT if found is None else found.state

    async def status(self, job: Job) -> JobStatus:
        """Where the job stands here."""
        return (await self.runtime.jobs.get(job.job_id)).job.status

    async def end(self, job: Job) -> JobStatus:
        """Wait until the job has ended here, for a while."""
        with trio.fail_after(600):
            return (await self.runtime.wait(job.job_id)).status

    async def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, delivery: str = "msg_1", query: str = ""
    ) -> httpx.Response:
        """Deliver ``body``, signed by the fake unless ``headers`` are given."""
        chosen = signed(self.fake.secret, delivery, self.clock.now(), body) if headers is None else headers
        return await self.http.post(f"/api/webhooks/replicate{query}", content=body, headers=dict(chosen))

    def told(self, remote: RemoteJob, **changes: Any) -> bytes:
        """What a delivery about that job says now."""
        return orjson.dumps({**self.fake.document(remote), **changes})


@asynccontextmanager
async def staged(**options: Any) -> AsyncIterator[Stage]:
    clock = VirtualClock()
    fake = FakeReplicate(clock.now)
    made = ReplicateOptions(**{"webhook_url": HOOK, **options})
    provider = ReplicateProvider(made, now=clock.now, transport=FakeTransport(fake, latency=0.05))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    settings = virtual_settings(poller=PollerOptions(enabled=False))
    async with running_runtime(settings=settings, parts=parts) as runtime:
        transport = httpx.ASGITransport(app=create_webhook_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="https://greenroom.example") as http:
            yield Stage(clock, fake, runtime, http)


def counted(stage: Stage, outcome: str) -> int:
    """How many deliveries came to that outcome."""
    return stage.runtime.tallies.deliveries[outcome]
