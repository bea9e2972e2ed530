"""The names that existing applications know: start, stop, and what a failure does (B1)."""

from __future__ import annotations

import logging

import pytest
import trio

from actors import get_task_manager
from actors.background import BackgroundTaskManager
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.testing import request, seeded_sources, virtual_settings
from supervision import RestartIntensityReached


def a_manager() -> BackgroundTaskManager:
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    return BackgroundTaskManager(virtual_settings(), parts)


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_starting_and_stopping_twice_is_harmless_and_leaves_no_task(autojump_clock):
    before = tasks()
    manager = a_manager()
    await manager.stop()
    for _ in range(2):
        await manager.start()
        await manager.start()
        assert manager.is_running
        assert manager.is_polling_active
        job = await manager.runtime.submit(request(duration=1))
        await manager.runtime.wait(job.job_id)
        await manager.stop()
        await manager.stop()
        assert not manager.is_running
    assert tasks() == before


async def test_in_a_nursery_it_ends_with_the_host(autojump_clock):
    manager = a_manager()
    async with trio.open_nursery() as nursery:
        await manager.start(nursery)
        assert manager.is_running
        await manager.stop()
    async with trio.open_nursery() as nursery:
        await manager.start(nursery)
        nursery.cancel_scope.cancel()
    assert not manager.is_running


async def break_the_scheduler(manager, monkeypatch):
    async def claim(_capacities, _cautions):
        raise RuntimeError("the rows are away")

    monkeypatch.setattr(manager.runtime.ledger, "claim", claim)
    await manager.runtime.restart_actor("scheduler")


async def test_in_a_nursery_a_failure_is_the_hosts_exception(autojump_clock, monkeypatch):
    manager = a_manager()
    with pytest.RaisesGroup(RestartIntensityReached, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await manager.start(nursery)
            await break_the_scheduler(manager, monkeypatch)
            await trio.sleep(120)


async def test_in_a_system_task_a_failure_is_kept_told_and_raised_by_the_next_call(autojump_clock, monkeypatch, caplog):
    manager = a_manager()
    await manager.start()
    await break_the_scheduler(manager, monkeypatch)
    with pytest.raises(RestartIntensityReached):
        await manager.wait_failed()
    assert [record.levelno for record in caplog.records].count(logging.CRITICAL) == 1
    monkeypatch.undo()
    await manager.start()
    await break_the_scheduler(manager, monkeypatch)
    await trio.sleep(600)
    assert isinstance(manager.failure, RestartIntensityReached)
    with pytest.raises(RestartIntensityReached):
        await manager.stop()
    await manager.stop()


def test_each_trio_run_has_a_manager_of_its_own():
    async def main():
        assert get_task_manager() is get_task_manager()
        return get_task_manager()

    assert trio.run(main) is not trio.run(main)


async def test_an_embedded_runtime_configures_no_logging_and_no_signal(autojump_clock):
    import signal

    handlers = list(logging.getLogger().handlers)
    signals = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    manager = a_manager()
    await manager.start()
    assert logging.getLogger().handlers == handlers
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == signals
    await manager.stop()
