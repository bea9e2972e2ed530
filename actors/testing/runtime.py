"""Opens a whole runtime in memory, for tests in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from actors.jobs.ids import IdFactory
from actors.jobs.options import ApprovalOptions, ExpiryOptions, Limits, PollerOptions, QueueOptions
from actors.jobs.records import JobRequest, Resources
from actors.kernel import Clock, VirtualClock
from actors.ledger import Sources
from actors.providers.base import Provider
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.settings import Background, Settings


def seeded_sources(seed: int = 0) -> Sources:
    """Return sources of identifiers, tokens and jitter that draw from one seed."""
    draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
    return Sources(ids=IdFactory(draw.getrandbits), token=lambda: f"{draw.getrandbits(128):032x}", jitter=draw.random)


def virtual_settings(
    *,
    limits: Limits | None = None,
    approvals: ApprovalOptions | None = None,
    poller: PollerOptions | None = None,
    expiry: ExpiryOptions | None = None,
    queue: QueueOptions | None = None,
) -> Settings:
    """Return settings without reading any file or the environment."""
    return attrs.evolve(
        Settings.default(state_dir=Path("/nonexistent")),
        limits=limits or Limits(),
        approvals=approvals or ApprovalOptions(),
        background=Background(poller or PollerOptions(), approval_expiration=expiry or ExpiryOptions()),
        queue=queue or QueueOptions(),
        providers={},
    )


def request(provider: str = "scripted", user_id: str = "ana", *, cpus: int = 1, **fields: Any) -> JobRequest:
    """Return a request for a simulated job.

    An argument that is no field of a request goes into its script (``duration=60``).
    """
    known = {field.name for field in attrs.fields(JobRequest)}
    script = {name: value for name, value in fields.items() if name not in known}
    plain = {name: value for name, value in fields.items() if name in known}
    plain.setdefault("spec", script)
    plain.setdefault("resources", Resources(cpus=cpus))
    return JobRequest(provider=provider, user_id=user_id, inherited_env={}, **plain)


@asynccontextmanager
async def running_runtime(
    *providers: Provider,
    settings: Settings | None = None,
    clock: Clock | None = None,
    seed: int = 0,
    parts: Parts | None = None,
) -> AsyncIterator[RunningRuntime]:
    """Open a runtime in memory with these ``providers``. ``seed`` makes its random choices the same each time."""
    sources = seeded_sources(seed)
    made = parts or Parts(clock=clock or VirtualClock(), in_memory=True, sources=sources, providers=providers)
    async with open_runtime(settings or virtual_settings(), made) as runtime:
        yield runtime
