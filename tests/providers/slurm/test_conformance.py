"""The provider keeps what every provider promises, on a real cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
import trio

from actors.jobs.records import JobRequest, Resources
from actors.providers.base import CancelAck, Found, Handle, LogChunk, Prepared, Provider, Submitted, View
from actors.providers.registry import factory
from actors.providers.slurm import SlurmOptions
from actors.testing.conformance import PATIENCE, Harness
from actors.testing.provider_promises import PROMISES, Promise
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.supervisors import options

pytestmark = pytest.mark.parts


def request(*command: str) -> JobRequest:
    return JobRequest(command=command, resources=Resources(cpus=1))


class OwnKeys:
    """A provider whose keys are no other check's: the cluster lives through all of them, and remembers."""

    def __init__(self, provider: Provider, prefix: str) -> None:
        self._provider, self._prefix = provider, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        return await self._provider.submit(self._prefix + key, token, prepared, context)

    async def find(self, key: str, token: str) -> Found:
        return await self._provider.find(self._prefix + key, token)

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        view = await self._provider.observe_many({self._prefix + key: handle for key, handle in handles.items()})
        own = len(self._prefix)
        return attrs.evolve(
            view,
            observations={key[own:]: seen for key, seen in view.observations.items()},
            absent=frozenset(key[own:] for key in view.absent),
        )

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        return await self._provider.cancel(self._prefix + key, handle)

    def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        return self._provider.logs(self._prefix + key, handle, cursor)

    async def forget(self, key: str, handle: Handle) -> None:
        await self._provider.forget(self._prefix + key, handle)


@asynccontextmanager
async def harness(cluster: Cluster, path: Path) -> AsyncIterator[Harness]:
    prefix = uuid4().hex[:8] + "-"
    chosen = SlurmOptions(**options(path, cluster))

    def opened() -> Any:
        provider = factory("slurm").create("slurm", chosen, path / "provider", lambda: datetime.now(UTC))
        return OwnKeys(provider, prefix)

    provider = opened()
    try:
        yield Harness(
            provider,
            quick_request=partial(request, "echo", "done"),
            long_request=partial(request, "sleep", "1000"),
            failing_request=partial(request, "sh", "-c", "echo out of luck; exit 3"),
            wait_change=partial(trio.sleep, 0.1),
            wrong_request=lambda: JobRequest(command=("true",), spec={"partitoin": "debug"}),
            wrong_field="spec.partitoin",
            reopen=opened,
            unknown_handle={"id": "4000000"},
        )
    finally:
        with trio.CancelScope(shield=True):
            await provider.aclose()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_slurm_provider_conforms(promise: Promise, cluster: Cluster, tmp_path: Path) -> None:
    with trio.fail_after(PATIENCE):
        async with harness(cluster, tmp_path) as checked:
            waiting = promise(checked)
            if waiting is not None:
                await waiting
