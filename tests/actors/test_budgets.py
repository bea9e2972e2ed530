"""What the runtime outlives: a store that cannot be read for half a minute, a server or a pruner that always fails.

And what it does not: then the reason of the end is what failed, not that it failed too often.
"""

from __future__ import annotations

import attrs
import pytest
import trio

from actors.cli.session import _explained
from actors.jobs.refusal import Refused
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedProvider, ScriptedRemote
from actors.runtime import BACKOFF, MAX_RESTARTS, PERIOD, Parts, open_runtime
from actors.store import StoreUnavailable
from actors.testing import request, seeded_sources, virtual_settings
from supervision import ChildSpec, RestartIntensityReached
from supervision.state import RestartWindow

ACTORS = ("scheduler", "poller", "expiry")
OUTLIVED = 30.0


def ends_at(seed: int) -> float:
    """When the three actors give up together that fail at each start, from the first failure on: by arithmetic."""
    backoff = attrs.evolve(BACKOFF, seed=seed)
    window = RestartWindow(MAX_RESTARTS, PERIOD)
    sources = {name: backoff.source(name) for name in ACTORS}
    due = dict.fromkeys(ACTORS, 0.0)
    row = dict.fromkeys(ACTORS, 0)
    while True:
        name = min(due, key=due.__getitem__)
        now = due[name]
        if window.full(now) or row[name] >= backoff.max_failures:
            return now
        window.spend(now, name, "failed")
        due[name] = now + backoff.delay(row[name], sources[name])
        row[name] += 1


def test_a_store_that_cannot_be_read_for_half_a_minute_is_outlived_whatever_is_drawn():
    assert min(ends_at(seed) for seed in range(1000)) > OUTLIVED


def opened(seed=0, servers=()):
    clock = VirtualClock()
    provider = ScriptedProvider(remote=ScriptedRemote(clock.now))
    parts = Parts(
        clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider], backoff_seed=seed,
        servers=lambda _runtime: servers,
    )  # fmt: skip
    return open_runtime(virtual_settings(), parts)


def break_store(runtime):
    """From now on no transaction and no read of this runtime's store works; what mends it."""
    store = runtime._store

    async def fail(*_args):
        await trio.lowlevel.checkpoint()
        raise StoreUnavailable("/state/greenroom.db: the disk failed while reading or writing (EIO)")

    store.read = store.write = store.write_together = fail

    def mend():
        del store.read, store.write, store.write_together

    return mend


@pytest.mark.parametrize("seed", range(5))
async def test_a_runtime_whose_store_fails_for_half_a_minute_goes_on(autojump_clock, seed):
    async with opened(seed) as runtime:
        mend = break_store(runtime)
        await trio.sleep(OUTLIVED)
        mend()
        job = await runtime.submit(request(duration=5))
        assert (await runtime.wait(job.job_id)).status == "completed"


async def test_a_runtime_that_ends_for_its_store_names_the_stores_error(autojump_clock):
    async def run():
        async with opened() as runtime:
            break_store(runtime)
            await trio.sleep(3600)

    with pytest.raises(RestartIntensityReached) as caught:
        await run()
    assert "the disk failed while reading or writing (EIO)" in str(caught.value)
    assert "failures in a row" in str(caught.value)
    told = str(_explained([caught.value]))
    assert told.startswith("/state/greenroom.db: the disk failed while reading or writing (EIO) (")


async def failing(*, task_status):
    task_status.started()
    await trio.lowlevel.checkpoint()
    raise OSError("this server cannot work")


def node(runtime, name):
    for group in runtime.tree.describe():
        for child in group.get("children", ()):
            if child["id"] == name:
                return child
    raise LookupError(name)


async def test_a_server_that_fails_a_hundred_times_restarts_no_actor_and_can_be_started_by_hand(autojump_clock):
    failures = 0

    async def serve(*, task_status):
        nonlocal failures
        failures += 1
        if failures <= 100:
            await failing(task_status=task_status)
        task_status.started()
        await trio.sleep_forever()

    async with opened(servers=[ChildSpec("http", serve)]) as runtime:
        while failures <= 100:
            await trio.sleep(PERIOD)
            if failures <= 100:
                assert node(runtime, "http")["state"] == "parked"
                assert "http is parked" in (await runtime.health.check()).reasons
                await runtime.tree.start("http")
        assert node(runtime, "http")["state"] == "running"
        with pytest.raises(Refused, match="http is running; only what is parked or finished can be started"):
            await runtime.tree.start("http")
        with pytest.raises(Refused, match="there is no actor or server 'htp'; did you mean http"):
            await runtime.tree.start("htp")
        assert (await runtime.health.check()).status == "ok"
        assert [node(runtime, name)["restarts"] for name in ACTORS] == [0, 0, 0]


async def test_a_pruner_that_always_fails_parks_and_spends_nothing_of_the_actors_budget(autojump_clock, monkeypatch):
    async def fail(_self, _causes):
        await trio.lowlevel.checkpoint()
        raise OSError("no pruning here")

    monkeypatch.setattr("actors.pruner.Pruner.tick", fail)
    monkeypatch.setattr("actors.pruner.Pruner.fault_limit", 1)
    monkeypatch.setattr("actors.pruner.FIRST_LOOK", 0.0)
    async with opened() as runtime:
        await trio.sleep(2 * PERIOD)
        assert node(runtime, "pruner")["state"] == "parked"
        assert [node(runtime, name)["restarts"] for name in ACTORS] == [0, 0, 0]
        monkeypatch.undo()
        await runtime.tree.start("pruner")
        await trio.sleep(PERIOD)
        assert node(runtime, "pruner")["state"] == "running"


async def test_a_server_that_is_finished_is_started_by_hand(autojump_clock):
    """As one whose port was taken."""
    starts = []

    async def serve(*, task_status):
        starts.append(None)
        task_status.started()
        if len(starts) > 1:
            await trio.sleep_forever()

    async with opened(servers=[ChildSpec("http", serve, restart="transient")]) as runtime:
        await trio.sleep(1)
        assert node(runtime, "http")["state"] == "finished"
        await runtime.tree.start("http")
        assert node(runtime, "http")["state"] == "running"


async def test_jobs_at_a_provider_that_is_no_longer_configured_are_a_reason_of_health(autojump_clock):
    async with opened() as runtime:
        job = await runtime.submit(request(duration=3600))
        await trio.sleep(10)
        runtime.health._context = attrs.evolve(runtime.health._context, providers={})
        reason = "1 job(s) are at provider scripted, which is not configured: put providers.scripted back"
        assert [one for one in (await runtime.health.check()).reasons if one.startswith(reason)]
        await runtime.cancel(job.job_id)
