"""The functions that existing applications use: one manager for each trio run, started and stopped by function calls.

The structured form is :func:`actors.open_runtime`; this is for hosts that start in one callback and stop in another.
With a nursery, the runtime runs in it, and its failure is the host's exception. Without one it runs in a system task,
whose errors never reach trio: they are a CRITICAL line, :attr:`BackgroundTaskManager.failure`, and an exception from
the next start, stop or wait.
"""

from __future__ import annotations

from contextlib import suppress

import attrs
import trio

from actors.poller.actor import decide_polling
from actors.runtime import Parts, RunningRuntime, guarded_providers, open_runtime
from actors.settings import Settings
from logconf import fresh_context, get_logger
from supervision.errors import leaves

_logger = get_logger("actors.background")


class BackgroundTaskManager:
    """Starts and stops one runtime. Starting twice, stopping twice and start-stop-start are harmless.

    ``settings``: None means the configuration file of this machine (:mod:`actors.settings.locating`), read at each
    start; a file in the working directory is read only with ``working_directory``.
    """

    def __init__(
        self, settings: Settings | None = None, parts: Parts | None = None, *, working_directory: bool = False
    ) -> None:
        self.failure: BaseException | None = None
        self.runtime: RunningRuntime | None = None
        self._settings = settings
        self._parts = parts
        self._working_directory = working_directory
        self._scope = trio.CancelScope()
        self._ended: _End | None = None
        self._changing = trio.Lock()

    def configure(self, settings: Settings | None = None, *, working_directory: bool | None = None) -> None:
        """Change what the next start uses; None leaves it as it is."""
        self._settings = settings or self._settings
        self._working_directory = self._working_directory if working_directory is None else working_directory

    async def _should_auto_enable_polling(self) -> bool:
        """Whether timed polling would be on automatically, if the configuration says nothing about it.

        The manual shows this method, so existing programs may call it. Raises :class:`SettingsError` if no runtime runs
        and the configuration is wrong.
        """
        await trio.lowlevel.checkpoint()
        settings = self.settings if self.runtime is None else self.runtime.settings
        providers = guarded_providers(settings, self._parts or Parts())
        capabilities = {name: provider.capabilities for name, provider in providers.items()}
        return decide_polling(None, capabilities, settings.webhook_urls()).active

    @property
    def settings(self) -> Settings:
        """The settings of the next start: those that were given, else the file of this machine, read anew at each
        call.
        """
        return self._settings or Settings.load(working_directory=self._working_directory)

    @property
    def is_running(self) -> bool:
        """Whether the runtime runs."""
        return self.runtime is not None

    @property
    def is_polling_active(self) -> bool:
        """Whether timed polling is on."""
        return self.runtime is not None and self.runtime.is_polling_active

    async def refresh_polling_state(self) -> bool:
        """Decide anew whether timed polling is on, after a change of configuration; of the changed settings only what
        decides this is taken over. Raises :class:`SettingsError` if they are wrong.
        """
        return self.runtime is not None and await self.runtime.refresh_polling_state(self.settings)

    async def start(self, nursery: trio.Nursery | None = None) -> None:
        """Start the runtime and return when it is ready. Raises the error that prevented the start.

        A start that is cancelled leaves nothing running.
        """
        async with self._changing:
            if self._ended is not None and self._scope.cancel_called:  # by a stop that did not wait for its end
                await self._ended.event.wait()
            self._raise_failure()
            if self._ended is not None:
                return
            self._ended, self._scope = _End(), trio.CancelScope()
            try:
                if nursery is not None:
                    await nursery.start(self._run)
                else:
                    await self._start_in_system_task()
            except BaseException:  # however the start ended, the next one may begin; raised again below
                self._ended = None
                raise

    async def _start_in_system_task(self) -> None:
        ended, ready = self._ended, _Ready()
        assert ended is not None
        trio.lowlevel.spawn_system_task(self._run_contained, ended, ready, name="greenroom", context=fresh_context())
        try:
            await ready.event.wait()
        except (trio.Cancelled, KeyboardInterrupt):
            self._scope.cancel()
            with trio.CancelScope(shield=True):  # a runtime that stops has limits of its own
                await ended.event.wait()
            raise
        self._raise_failure()

    async def _run_contained(self, ended: _End, ready: _Ready) -> None:
        """A named border for broad ``except``: an exception that left a system task would end the host's whole trio
        run.
        """
        try:
            await self._run(task_status=ready)
        except BaseException as error:  # noqa: ASYNC103 - kept in `failure` and raised by the next call
            if all(isinstance(one, trio.Cancelled) for one in leaves(error)):  # the host's trio run is over
                raise
            self.failure = ended.failure = _alone(error)
            with suppress(Exception):  # a filter or a handler of the host's
                _logger.critical("The background tasks have failed", exc_info=self.failure)
        finally:
            ready.event.set()

    async def _run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        ended = self._ended
        assert ended is not None
        try:
            with self._scope:
                async with open_runtime(self.settings, self._parts) as self.runtime:
                    task_status.started()
                    await trio.sleep_forever()
        finally:
            self.runtime = None
            self._ended = None
            ended.event.set()

    async def stop(self) -> None:
        """Stop the runtime and return when nothing of it is left. Raises the error of a failure, once."""
        async with self._changing:
            ended = self._ended
            if ended is not None:
                self._scope.cancel()
                await ended.event.wait()
            self._raise_failure()

    async def wait_failed(self) -> None:
        """Wait until the runtime has ended. Raises the error if it failed, also to each of several tasks that wait, and
        returns if it was stopped.
        """
        ended = self._ended
        await trio.lowlevel.checkpoint()
        if ended is not None:
            await ended.event.wait()
        self._raise_failure()
        if ended is not None and ended.failure is not None:  # raised by another task that waits
            raise ended.failure

    def _raise_failure(self) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure


@attrs.define(eq=False)
class _End:
    """The end of one run of the runtime, with the error that ended it in a system task."""

    event: trio.Event = attrs.field(factory=trio.Event)
    failure: BaseException | None = None


class _Ready(trio.TaskStatus[None]):
    """Sets an event when the runtime is ready."""

    def __init__(self) -> None:
        self.event = trio.Event()

    def started(self, value: None = None) -> None:
        """The runtime is ready."""
        self.event.set()


def _alone(error: BaseException) -> BaseException:
    """The exception inside of groups with a single one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


_managers: trio.lowlevel.RunVar[BackgroundTaskManager] = trio.lowlevel.RunVar("greenroom_background_tasks")


def get_task_manager(
    settings: Settings | None = None, *, working_directory: bool | None = None
) -> BackgroundTaskManager:
    """The manager of this trio run.

    ``settings`` and ``working_directory`` (see :class:`BackgroundTaskManager`) apply from the next start on; None does
    not change them.
    """
    try:
        manager = _managers.get()
    except LookupError:
        manager = BackgroundTaskManager()
        _managers.set(manager)
    manager.configure(settings, working_directory=working_directory)
    return manager


async def start_background_tasks(
    nursery: trio.Nursery | None = None, *, settings: Settings | None = None, working_directory: bool | None = None
) -> BackgroundTaskManager:
    """Start this run's runtime, in ``nursery`` or in a system task, with the configuration file of this machine.

    ``settings``: use these instead of a file. ``working_directory``: also read a configuration file there. Raises
    :class:`~actors.settings.SettingsError` with every fault of the file.
    """
    manager = get_task_manager(settings, working_directory=working_directory)
    await manager.start(nursery)
    return manager


async def stop_background_tasks() -> None:
    """Stop this run's runtime."""
    await get_task_manager().stop()
