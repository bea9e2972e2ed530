"""An account at a Replicate that exists in this process only, in virtual time."""

from __future__ import annotations

from typing import Any

import attrs

from actors.jobs.records import JobRequest
from actors.kernel import VirtualClock
from actors.providers.base import Handle, Submitted
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import FakeReplicate, FakeTransport

KEY = "01hm6z8m00000000000000000{}-1"  # a ULID of the virtual clock's first minute


@attrs.define
class Account:
    """The fake, its clock, and providers on it."""

    clock: VirtualClock
    fake: FakeReplicate

    def provider(self, **options: Any) -> ReplicateProvider:
        """A provider of this account which finds lost submissions again."""
        chosen = ReplicateOptions(**{"token_input": "token", "settle_seconds": 0.0, **options})
        return ReplicateProvider(chosen, now=self.clock.now, transport=FakeTransport(self.fake))

    async def submit(self, provider: ReplicateProvider, key: str = "key-1", **script: Any) -> Submitted:
        """Hand a job of the model ``ana/model`` over."""
        return await provider.submit(key, f"token-{key}", provider.prepare(request(**script)), {"job_id": key})

    async def handles(self, provider: ReplicateProvider, number: int, **script: Any) -> dict[str, Handle]:
        """Hand several over."""
        keys = [f"key-{index}" for index in range(number)]
        return {key: (await self.submit(provider, key, **script)).handle for key in keys}


def request(max_runtime: float | None = None, **script: Any) -> JobRequest:
    """A request for a prediction that does as ``script`` says."""
    spec = {"model": "ana/model", "input": {"fake": script}}
    return JobRequest(provider="replicate", user_id="ana", spec=spec, max_runtime=max_runtime)
