"""A scripted provider tells of changes by itself, and its nudges can be spoiled."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest, Resources
from actors.providers.base import Push, Submitted
from actors.providers.scripted import (
    Fault,
    FaultKind,
    ScriptedOptions,
    ScriptedProvider,
    ScriptedRemote,
)


async def submit(provider: ScriptedProvider, key: str = "j1", **spec: Any) -> Submitted:
    request = JobRequest(provider="scripted", spec=spec, user_id="ana", resources=Resources(gpus=1))
    context = {"job_id": key.split("-")[0], "correlation_id": "c1"}
    return await provider.submit(key, f"token-{key}", provider.prepare(request), context)


async def watched(provider: ScriptedProvider, seconds: float) -> list[tuple[float, str]]:
    """The nudges of the next ``seconds``, with their times from now."""
    nudges: list[tuple[float, str]] = []
    start = trio.current_time()
    with trio.move_on_after(seconds):
        await provider.watch(lambda key: nudges.append((trio.current_time() - start, key)))
    return nudges


async def test_a_watch_tells_of_what_is_there_then_of_each_change(
    remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """Once for each known run, then at each change of phase or progress."""
    provider = ScriptedProvider(remote=remote)
    await submit(provider, "j1", queue_time=2, duration=4, progress=2)
    await submit(provider, "j2", duration=100)
    assert await watched(provider, 60) == [(0, "j1"), (0, "j2"), (2, "j1"), (4, "j1"), (6, "j1")]


async def test_a_watch_notices_new_jobs_and_cancels(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """What comes while it waits, with nothing due, wakes it."""
    provider = ScriptedProvider(remote=remote)
    nudges: list[tuple[float, str]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(provider.watch, lambda key: nudges.append((trio.current_time(), key)))
        await trio.sleep(100)
        submitted = await submit(provider, duration=50, cancel_time=5)
        await trio.sleep(10)
        await provider.cancel("j1", submitted.handle)
        await trio.sleep(1_000)
        nursery.cancel_scope.cancel()
    assert nudges == [(110, "j1"), (115, "j1")]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.DROP, skip=1), [0]),
        (Fault(FaultKind.DOUBLE, skip=1), [0, 3, 3]),
        (Fault(FaultKind.LATE, skip=1, seconds=20), [0, 23]),
    ],
)
async def test_pushes_are_lost_doubled_and_late(
    fault: Fault, expected: list[float], remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """The push of the end is struck; the one at the start of the watch is not."""
    provider = ScriptedProvider(remote=remote)
    remote.inject(fault)
    await submit(provider, duration=3)
    assert [at for at, _ in await watched(provider, 60)] == expected


@pytest.mark.parametrize("push", [Push.NONE, Push.WEBHOOK])
async def test_a_provider_without_local_events_cannot_be_watched(
    push: Push, remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """The watch returns at once, and the capabilities say why."""
    provider = ScriptedProvider(ScriptedOptions(push=push), remote)
    await submit(provider, duration=1)
    assert await watched(provider, 10) == []
    assert trio.current_time() == 0
    assert provider.capabilities.push is push
    assert not provider.capabilities.ends_are_local_events
