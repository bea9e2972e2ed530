"""Wide jobs: what is kept free for them, from when on, who may have it meanwhile, and how the queue says it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.options import Limits, QueueOptions
from actors.jobs.records import Job, JobStatus, Resources
from actors.providers.scripted import ScriptedOptions
from actors.runtime import RunningRuntime
from tests.runtime_fixtures import World

GPUS = {"options": ScriptedOptions(cpus=16, gpus=2), "limits": Limits(total=50, per_user=50)}
KEPT = "keeping 1 of 2 GPUs free for big-model"


async def gpu_job(world: World, gpus: int = 1, seconds: float = 3600.0, **fields: Any) -> Job:
    resources = Resources(gpus=gpus)
    job = await world.submit(spec={"duration": seconds}, **{"resources": resources, "user_id": "bo", **fields})
    await trio.sleep(1)  # it is decided about before the next one is there
    return job


async def big_model(world: World, **fields: Any) -> Job:
    return await gpu_job(world, 2, config_name="big-model", user_id="ana", **fields)


async def kept(runtime: RunningRuntime, user_id: str | None = None) -> list[str]:
    return [one.text for one in (await runtime.queue.view(user_id=user_id)).reservations]


async def status(runtime: RunningRuntime, job: Job) -> JobStatus:
    return (await runtime.jobs.get(job.job_id)).job.status


async def test_after_the_time_that_is_set_what_becomes_free_is_kept(autojump_clock: MockClock, world: World) -> None:
    async with world.open(**GPUS, queue=QueueOptions(reserve_after=120.0)) as runtime:
        await gpu_job(world, seconds=400.0)
        big = await big_model(world)
        await trio.sleep(60)
        assert await kept(runtime) == []
        before = await gpu_job(world, seconds=150.0)
        await trio.sleep(5)
        assert await status(runtime, before) is JobStatus.RUNNING
        await trio.sleep(110)
        assert await kept(runtime) == ["keeping 0 of 2 GPUs free for big-model"]
        await trio.sleep(60)
        behind = await gpu_job(world)
        await trio.sleep(5)
        assert await kept(runtime) == [KEPT]
        waiting = await runtime.jobs.get(behind.job_id)
        assert waiting.reason == "waiting for 1 GPU, 0 free (some are kept for a job that comes first)"
        assert waiting.setting == "providers.scripted.gpus"
        await trio.sleep(200)
        assert await status(runtime, big) is JobStatus.RUNNING
        assert await kept(runtime) == [f"keeping 0 of 2 GPUs free for {behind.job_id}"]  # it has waited long by now


@pytest.mark.parametrize("others", [False, True])
async def test_another_priority_takes_nothing_away_that_is_kept(
    autojump_clock: MockClock, world: World, others: bool
) -> None:
    """``others``: there is already a job of that priority, which came later."""
    async with world.open(**GPUS, queue=QueueOptions(reserve_after=120.0)) as runtime:
        await gpu_job(world, seconds=400.0)
        big = await big_model(world)
        if others:
            await big_model(world, priority_override=12)
        await trio.sleep(150)
        assert await kept(runtime) == [KEPT]
        await runtime.jobs.prioritise(big.job_id, 12, by="root")
        later = await gpu_job(world)
        assert await kept(runtime) == [KEPT]
        assert await status(runtime, later) is JobStatus.PENDING


@pytest.mark.parametrize(("override", "at_once"), [(29, False), (30, True)])
@pytest.mark.parametrize("how", ["submitted", "prioritised"])
async def test_an_override_of_thirty_keeps_it_at_once(
    autojump_clock: MockClock, world: World, override: int, at_once: bool, how: str
) -> None:
    async with world.open(**GPUS) as runtime:
        await gpu_job(world)
        if how == "submitted":
            await big_model(world, priority_override=override)
        else:
            big = await big_model(world)
            await runtime.jobs.prioritise(big.job_id, override, by="lead")
        await trio.sleep(5)
        behind = await gpu_job(world)
        await trio.sleep(5)
        assert await kept(runtime) == ([KEPT] if at_once else [])
        assert await status(runtime, behind) is (JobStatus.PENDING if at_once else JobStatus.RUNNING)


@pytest.mark.parametrize(
    ("first", "second", "runs"),
    [
        (1000.0, 900.0, True),
        (1000.0, 990.0, False),  # it may take a minute until it has begun
        (1000.0, None, False),
        (None, 10.0, False),
    ],
)
async def test_of_what_is_kept_a_job_gets_only_what_it_surely_gives_back_in_time(
    autojump_clock: MockClock, world: World, first: float | None, second: float | None, runs: bool
) -> None:
    async with world.open(**GPUS) as runtime:
        await gpu_job(world, max_runtime=first)
        big = await big_model(world, priority_override=30)
        await trio.sleep(5)
        behind = await gpu_job(world, seconds=5000.0, max_runtime=second)
        await trio.sleep(5)
        assert (await status(runtime, behind) is JobStatus.RUNNING) is runs
        if first is not None:
            await trio.sleep(first)
            assert await status(runtime, big) is JobStatus.RUNNING


async def test_one_reservation_at_each_provider(autojump_clock: MockClock, world: World) -> None:
    async with world.open(**GPUS) as runtime:
        await gpu_job(world)
        await big_model(world, priority_override=40)
        await gpu_job(world, 2, config_name="later", priority_override=35)
        await trio.sleep(5)
        assert await kept(runtime) == [KEPT]


async def test_who_sees_their_own_jobs_only_is_not_told_the_name_of_anothers(
    autojump_clock: MockClock, world: World
) -> None:
    async with world.open(**GPUS) as runtime:
        await gpu_job(world)
        big = await big_model(world, priority_override=40)
        await trio.sleep(5)
        (own,) = (await runtime.queue.view(user_id="ana")).reservations
        assert (own.provider, own.job_id, own.text) == ("scripted", big.job_id, KEPT)
        (foreign,) = (await runtime.queue.view(user_id="bo")).reservations
        assert (foreign.job_id, foreign.text) == (None, "keeping 1 of 2 GPUs free for another user's job")
