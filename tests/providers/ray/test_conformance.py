"""The provider keeps what every provider promises, on a real Ray head."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from uuid import uuid4

import pytest
import trio

from actors.jobs.records import JobRequest, Resources
from actors.providers.base import Found, Prepared, Submitted
from actors.providers.ray import RayOptions, RayProvider
from actors.testing.conformance import PATIENCE, Harness
from actors.testing.provider_promises import PROMISES, Promise
from tests.providers.ray.head import Head

pytestmark = pytest.mark.parts

NO_SLOT = Resources(cpus=0)  # the jobs sleep or print: five of them at once are no load


def request(*command: str) -> JobRequest:
    return JobRequest(command=command, resources=NO_SLOT)


class OwnIds(RayProvider):
    """The head lives through all checks, and takes an id again only a while after it was deleted."""

    def __init__(self, options: RayOptions, prefix: str) -> None:
        super().__init__(options)
        self.prefix = prefix

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        return await super().submit(self.prefix + key, token, prepared, context)

    async def find(self, key: str, token: str) -> Found:
        return await super().find(self.prefix + key, token)


@asynccontextmanager
async def harness(head: Head) -> AsyncIterator[Harness]:
    options = RayOptions(head.address, stop_wait_seconds=1)
    prefix = uuid4().hex[:8]
    provider = OwnIds(options, prefix)
    try:
        yield Harness(
            provider,
            quick_request=partial(request, "echo", "done"),
            long_request=partial(request, "sleep", "1000"),
            failing_request=partial(request, "sh", "-c", "echo out of luck; exit 3"),
            wait_change=partial(trio.sleep, 0.2),
            wrong_request=lambda: JobRequest(command=("true",), spec={"runtime_envv": {}}),
            wrong_field="spec.runtime_envv",
            reopen=lambda: OwnIds(options, prefix),
            unknown_handle={"id": "nowhere"},
        )
    finally:
        with trio.CancelScope(shield=True):
            await provider.aclose()
            await head.stop_jobs()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_ray_provider_conforms(promise: Promise, shared_head: Head) -> None:
    with trio.fail_after(PATIENCE):
        async with harness(shared_head) as checked:
            waiting = promise(checked)
            if waiting is not None:
                await waiting
