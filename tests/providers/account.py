"""A runtime whose provider is a Replicate of our own in the same process, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import Job, JobRequest
from actors.kernel import VirtualClock
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, seeded_sources, virtual_settings
from actors.testing.fake_replicate import TOKEN, FakeReplicate, FakeTransport, RemoteJob

VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
ORIGIN = "https://api.replicate.com"


@attrs.define
class Account:
    """The outside: a clock and a fake; and how to open a runtime on them."""

    clock: VirtualClock
    fake: FakeReplicate
    kind: str = "prediction"
    runtime: RunningRuntime | None = None

    @asynccontextmanager
    async def open(self, total: int = 1, *, latency: float = 0.05, **options: Any) -> AsyncIterator[RunningRuntime]:
        """A runtime that runs at most ``total`` jobs at once; ``options`` are the provider's."""
        provider = ReplicateProvider(
            ReplicateOptions(base_url=ORIGIN, **{"token_input": "greenroom_token", **options}),
            now=self.clock.now,
            transport=FakeTransport(self.fake, latency=latency),
        )
        made = Parts(clock=self.clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
        limits = Limits(total=total, per_user=total)
        settings = virtual_settings(limits=limits, poller=PollerOptions(enabled=True))
        async with running_runtime(settings=settings, parts=made) as self.runtime:
            yield self.runtime

    async def submit(self, name: str, **script: Any) -> Job:
        """Submit a job of the model ``ana/NAME``; the fake does as ``script`` says."""
        assert self.runtime is not None
        spec: dict[str, Any] = {"input": {"fake": script}}
        if self.kind == "training":
            spec |= {"model": f"ana/{name}", "version": VERSION, "destination": "greenroom/mine"}
        else:
            spec |= {"model": f"ana/{name}"}
        return await self.runtime.submit(JobRequest(provider="replicate", spec=spec, user_id="ana", inherited_env={}))

    def made(self, name: str | None = None) -> list[RemoteJob]:
        """What the fake was made to do for that model, or for all."""
        return [job for job in self.fake.jobs(self.kind) if name is None or job.model == f"ana/{name}"]


@pytest.fixture
async def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account, its token in the environment."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    clock = VirtualClock()
    return Account(clock, FakeReplicate(clock.now))
