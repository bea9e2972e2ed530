"""The names that existing applications know: start, stop, and what a failure does (B1)."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, nullcontext

import attrs
import pytest
import trio

from actors import get_enterprise_config, get_task_manager, start_background_tasks, stop_background_tasks
from actors.background import BackgroundTaskManager
from actors.jobs.options import Limits, PollerOptions
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.settings.variables import Note
from actors.testing import request, running_runtime, seeded_sources, virtual_settings
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


async def test_the_task_is_gone_when_stop_returns(autojump_clock):
    """Not only soon afterwards: the host may count its tasks."""
    before = tasks()
    manager = a_manager()
    await manager.start()
    await manager.stop()
    assert tasks() == before


@pytest.mark.parametrize("steps", [0, 1, 4, 20])
async def test_a_start_that_is_cancelled_leaves_nothing_running(autojump_clock, steps):
    """Cancelled before its first step, or after the runtime has begun to start: the next start is a first one."""
    before = tasks()
    manager = a_manager()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.start)
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        was_running = manager.is_running
        nursery.cancel_scope.cancel()
    assert manager.is_running is was_running
    await manager.stop()
    assert tasks() == before
    await manager.start()
    assert manager.is_running
    await manager.stop()


async def test_a_start_after_a_stop_that_was_not_waited_for_starts_anew(autojump_clock):
    manager = a_manager()
    await manager.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(manager.stop)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    await manager.start()
    await trio.sleep(60)
    assert manager.is_running
    await manager.stop()


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
    async def claim(*_):
        raise RuntimeError("the rows are away")

    monkeypatch.setattr(manager.runtime.ledger, "claim", claim)
    await manager.runtime.tree.restart("scheduler")


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


async def test_each_of_several_tasks_that_wait_gets_the_failure(autojump_clock, monkeypatch):
    manager, raised = a_manager(), []

    async def wait():
        with pytest.raises(RestartIntensityReached) as failure:
            await manager.wait_failed()
        raised.append(failure.value)

    await manager.start()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await break_the_scheduler(manager, monkeypatch)
    assert len(raised) == 3
    await manager.stop()


def test_each_trio_run_has_a_manager_of_its_own():
    async def main():
        assert get_task_manager() is get_task_manager()
        return get_task_manager()

    assert trio.run(main) is not trio.run(main)


@pytest.mark.parametrize("fails", [False, True])
def test_a_host_that_ends_without_a_stop_is_no_failure_of_the_tasks(caplog, fails):
    managers = []

    async def host():
        managers.append(a_manager())
        await managers[0].start()
        if fails:
            raise LookupError

    with pytest.raises(LookupError) if fails else nullcontext():
        trio.run(host)
    assert managers[0].failure is None
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_an_embedded_runtime_configures_no_logging_and_no_signal(autojump_clock):
    import signal

    handlers = list(logging.getLogger().handlers)
    signals = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    manager = a_manager()
    await manager.start()
    assert logging.getLogger().handlers == handlers
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == signals
    await manager.stop()


async def test_the_file_of_this_machine_is_used_and_one_in_the_working_directory_only_if_asked(
    tmp_path, monkeypatch, autojump_clock
):
    """B1, B22: what get_enterprise_config() reads; settings= goes before every file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SIMPLETUNER_ENTERPRISE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    usual = tmp_path / ".config" / "simpletuner" / "simpletuner-enterprise.yaml"
    usual.parent.mkdir(parents=True)
    usual.write_text("limits: {total: 41}")
    here = tmp_path / "simpletuner-enterprise.yaml"
    here.write_text("limits: {total: 42}\nbackground: {job_status_polling: {enabled: true}}")
    here.chmod(0o600)
    assert get_task_manager().settings.limits.total == 41
    assert not get_enterprise_config(working_directory=False).job_polling_enabled
    assert get_task_manager(working_directory=True).settings.limits.total == 42
    assert get_enterprise_config().job_polling_enabled
    given = virtual_settings()
    assert get_task_manager(given).settings is given


async def test_the_background_tasks_start_with_the_file_and_with_settings(tmp_path, monkeypatch):
    """The whole way, on a real state directory: the file's limit holds in the runtime; then settings= wins."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SIMPLETUNER_ENTERPRISE_CONFIG", str(tmp_path / "e.yaml"))
    (tmp_path / "e.yaml").write_text("limits: {total: 41}\nproviders: {local: null, sim: {kind: scripted}}")
    manager = await start_background_tasks()
    assert manager.runtime.settings.limits.total == 41
    await stop_background_tasks()
    given = attrs.evolve(manager.settings, limits=Limits(total=43))
    manager = await start_background_tasks(settings=given)
    assert manager.runtime.settings.limits.total == 43
    await stop_background_tasks()


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        ("{local: null, remote: {kind: replicate}}", True),
        ("{local: null, remote: {kind: replicate, webhook_url: ''}}", True),
        ("{local: null, remote: {kind: replicate, webhook_url: 'https://example.org/hook'}}", False),
        ("{}", True),
    ],
)
async def test_whether_polling_would_be_automatic_can_be_asked(tmp_path, monkeypatch, providers, expected):
    """The manual's method: without a webhook polling is on; started or not, whatever the file says explicitly."""
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SIMPLETUNER_ENTERPRISE_CONFIG", str(tmp_path / "e.yaml"))
    text = f"providers: {providers}\nbackground: {{job_status_polling: {{enabled: false}}}}"
    (tmp_path / "e.yaml").write_text(text)
    assert await BackgroundTaskManager()._should_auto_enable_polling() is expected


async def test_a_filter_of_the_host_that_raises_does_not_end_its_trio_run(autojump_clock, monkeypatch):
    class Raising(logging.Filter):
        def filter(self, record):
            raise ValueError("the host's filter")

    @asynccontextmanager
    async def failing(_settings, _parts):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            yield object()

    async def fail():
        await trio.sleep(1)
        raise RuntimeError("gave up")

    monkeypatch.setattr("actors.background.open_runtime", failing)
    logger, raising = logging.getLogger("actors.background"), Raising()
    logger.addFilter(raising)
    try:
        manager = a_manager()
        await manager.start()
        with pytest.raises(RuntimeError, match="gave up"):
            await manager.wait_failed()
    finally:
        logger.removeFilter(raising)


async def test_a_changed_configuration_switches_timed_polling(autojump_clock):
    manager = a_manager()
    await manager.start()
    settings = manager.settings
    for enabled in (False, True):
        background = attrs.evolve(settings.background, job_status_polling=PollerOptions(enabled=enabled))
        manager.configure(attrs.evolve(settings, background=background))
        assert await manager.refresh_polling_state() is enabled
        assert manager.is_polling_active is enabled
    await manager.stop()


async def test_an_embedded_runtime_logs_what_its_settings_say(autojump_clock, caplog):
    settings = attrs.evolve(virtual_settings(), notes=(Note(logging.WARNING, "TLS is not verified"),))
    async with running_runtime(settings=settings):
        assert ("actors.settings", "TLS is not verified") in [(one.name, one.getMessage()) for one in caplog.records]
