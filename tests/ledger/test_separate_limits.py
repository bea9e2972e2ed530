"""A provider with a queue of its own is limited apart from all others, in the claiming transaction (B10)."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from tests.runtime_fixtures import World

LONG = {"duration": 1000.0}


def cluster_of(world: World) -> ScriptedProvider:
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(lambda: world.clock.now()), "cluster")
    provider.capabilities = attrs.evolve(provider.capabilities, separate_limits=True)
    return provider


async def running(world: World) -> dict[str, int]:
    await trio.sleep(20)
    assert world.runtime is not None
    counts = {"cluster": 0, "scripted": 0}
    for view in await world.runtime.jobs.page(limit=200):
        counts[view.job.provider] += view.job.status is JobStatus.RUNNING
    return counts


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(total=3, per_user=2), {"cluster": 50, "scripted": 2}),
        (Limits(total=3, per_user=2, per_provider={"cluster": 7}), {"cluster": 7, "scripted": 2}),
        (Limits(total=3, per_user=2, per_provider_per_user=5), {"cluster": 5, "scripted": 2}),
        (Limits(total=9, per_user=6, count_clusters=True), {"cluster": 6, "scripted": 0}),
    ],
)
async def test_each_limit_holds_where_it_is_meant_to(
    autojump_clock: MockClock, world: World, limits: Limits, expected: dict[str, int]
) -> None:
    async with world.open(others=[cluster_of(world)], limits=limits):
        for _ in range(60):
            await world.submit(provider="cluster", spec=LONG)
        for _ in range(5):
            await world.submit(spec=LONG)
        assert await running(world) == expected


async def test_a_limit_at_run_time_holds_and_the_default_is_shown(autojump_clock: MockClock, world: World) -> None:
    async with world.open(others=[cluster_of(world)]) as runtime:
        shown, sources = await runtime.queue.limits()
        assert (shown.per_provider, sources) == ({"cluster": 100}, {"per_provider.cluster": "default"})
        await runtime.queue.set_limit("per_provider.cluster", 1)
        await runtime.queue.set_limit("count_clusters", 1)
        for _ in range(2):
            await world.submit(provider="cluster", spec=LONG)
        assert await running(world) == {"cluster": 1, "scripted": 0}
        shown, sources = await runtime.queue.limits()
        assert (shown.per_provider, shown.count_clusters) == ({"cluster": 1}, True)
        assert sources == {"per_provider.cluster": "stored", "count_clusters": "stored"}
