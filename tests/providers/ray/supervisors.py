"""Supervisors over a head: one of this process, or ``python -m actors``; and jobs that leave a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobRequest
from actors.providers.breaker import BreakerOptions
from actors.providers.ray import RayOptions
from actors.runtime import RunningRuntime, open_runtime
from actors.settings import Background, ProviderSettings, Settings
from tests.providers.ray.head import Head
from tests.providers.supervisors import LINE, Supervisors

PATIENCE = 150.0  # seconds; a head takes ten to start, a job one


def supervisors_at(path: Path, address: str) -> Supervisors:
    """Supervisors whose one provider is the head at that address."""
    return Supervisors(path, "ray", {"address": address, "cwd": "none"}, {"resources": {"cpus": 0}})


def job(record: Path, then: str = "true", **fields: Any) -> JobRequest:
    """A job that writes its line, and then does something."""
    command = ("sh", "-c", LINE + then, str(record))
    return JobRequest(provider="ray", command=command, user_id="ana", inherited_env={}, **fields)


async def submissions(head: Head) -> Counter[str]:
    """What the head has, by our job's id: every submission that it ever accepted in this life."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        found = (await client.get(f"{head.address}/api/jobs/")).json()
    ours = [one["metadata"] for one in found if one["metadata"]]  # others may use the head, too
    return Counter(metadata["greenroom_job_id"] for metadata in ours if "greenroom_job_id" in metadata)


@asynccontextmanager
async def supervised(path: Path, head: Head, **options: Any) -> AsyncIterator[RunningRuntime]:
    """A runtime of this process that looks at the head five times a second."""
    ray = ProviderSettings(
        "ray",
        "ray",
        RayOptions(head.address, stop_wait_seconds=1, **options),
        circuit_breaker=BreakerOptions(open_seconds=1),
    )
    settings = attrs.evolve(
        Settings.default(path / "state", environ={}),
        providers={"ray": ray},
        limits=Limits(total=10, per_user=10),
        background=Background(PollerOptions(interval_seconds=0.2)),
    )
    with trio.fail_after(PATIENCE):
        async with open_runtime(settings) as runtime:
            yield runtime
