"""Supervisors over the cluster: one of this process, or ``python -m actors``."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobRequest, JobStatus, Resources
from actors.providers.breaker import BreakerOptions
from actors.providers.slurm import SlurmOptions
from actors.runtime import RunningRuntime, open_runtime
from actors.settings import Background, ProviderSettings, Settings
from tests.providers.slurm.cluster import Cluster
from tests.providers.slurm.commands import Commands
from tests.providers.supervisors import LINE, Supervisors

PATIENCE = 100.0  # seconds; only a test that fails waits so long
ABSENT_AFTER = 1.0


def options(place: Path, cluster: Cluster, commands: Commands | None = None, **more: Any) -> dict[str, Any]:
    """The provider's options for that cluster; ``place``: a directory of the test."""
    found = {"path": str(commands.path)} if commands is not None else {}
    shared = str(place / "shared")
    return {"conf": str(cluster.conf), "directory": shared, "absent_after": ABSENT_AFTER, **found, **more}


def supervisors_at(place: Path, cluster: Cluster, commands: Commands | None = None, **more: Any) -> Supervisors:
    """Supervisors whose one provider is the cluster."""
    return Supervisors(place, "slurm", options(place, cluster, commands, **more))


@asynccontextmanager
async def supervised(
    path: Path, cluster: Cluster, commands: Commands | None = None, **more: Any
) -> AsyncIterator[RunningRuntime]:
    """A runtime of this process that looks at the cluster five times a second."""
    slurm = ProviderSettings(
        "slurm",
        "slurm",
        SlurmOptions(**options(path, cluster, commands, **more)),
        circuit_breaker=BreakerOptions(open_seconds=1),
    )
    settings = attrs.evolve(
        Settings.default(path / "state", environ={}),
        providers={"slurm": slurm},
        limits=Limits(total=50, per_user=50),
        background=Background(PollerOptions(interval_seconds=0.2)),
    )
    with trio.fail_after(PATIENCE):
        async with open_runtime(settings) as runtime:
            yield runtime


def job(record: Path, then: str = "true", **fields: Any) -> JobRequest:
    """A job that writes its line, and then does something."""
    fields.setdefault("resources", Resources(cpus=1))
    command = ("sh", "-c", LINE + then, str(record))
    return JobRequest(provider="slurm", command=command, user_id="ana", inherited_env={}, **fields)


async def submissions(cluster: Cluster) -> Counter[str]:
    """What the controller still knows, by our job's id: every submission that it ever accepted."""
    return Counter(comment.rpartition("-")[0] for _, _, comment in await cluster.submissions())


async def until_event(runtime: RunningRuntime, job_id: str, kind: str, nth: int = 1) -> None:
    """Wait until the job has its ``nth`` event of that type."""
    async with runtime.events(after=0, job_id=job_id) as events:
        async for event in events:
            if event.type == kind:
                nth -= 1
                if nth == 0:
                    return


async def ended(runtime: RunningRuntime, job_id: str) -> tuple[JobStatus, str | None]:
    """How the job ended."""
    done = await runtime.wait(job_id)
    return done.status, done.error_message
