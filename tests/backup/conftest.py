"""A place in which a runtime is backed up and restored, in virtual time, over a provider that outlives both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.backup.restoring import RestoredDirectory, restore
from actors.backup.taking import Taken, take
from actors.jobs.notify_options import NotifyOptions
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.settings import Settings
from actors.store import InlineExecutor
from actors.testing import seeded_sources, virtual_settings
from tests.notification_fixtures import Targets


@attrs.define
class Site:
    """`original` and `new` are state directories, `file` the backup; the remote lives as long as the test."""

    folder: Path
    clock: VirtualClock
    remote: ScriptedRemote
    seed: int = 0

    @property
    def original(self) -> Path:
        return self.folder / "original"

    @property
    def new(self) -> Path:
        return self.folder / "new"

    @property
    def file(self) -> Path:
        return self.folder / "backup.zip"

    def settings(self, directory: Path, notify: NotifyOptions | None = None, **settings: Any) -> Settings:
        return attrs.evolve(virtual_settings(**settings), state_dir=directory, notify=notify or NotifyOptions())

    @asynccontextmanager
    async def open(
        self,
        directory: Path,
        *,
        options: ScriptedOptions | None = None,
        targets: Targets | None = None,
        without_providers: bool = False,
        **settings: Any,
    ) -> AsyncIterator[RunningRuntime]:
        """A runtime on this directory; what it draws is drawn anew."""
        self.seed += 1
        providers = [] if without_providers else [ScriptedProvider(options or ScriptedOptions(), self.remote)]
        sender = None if targets is None else targets.open
        parts = Parts(
            clock=self.clock,
            executor=InlineExecutor(),
            sources=seeded_sources(self.seed),
            providers=providers,
            sender=sender,
        )
        async with open_runtime(self.settings(directory, **settings), parts) as runtime:
            with trio.fail_after(100_000):
                yield runtime

    def take(self) -> Taken:
        return self.take_of(self.original)

    def take_of(self, directory: Path) -> Taken:
        return take(self.settings(directory), self.file, force=True, now=self.clock.now())

    async def restore(self, into: Path | None = None) -> RestoredDirectory:
        """In a thread, since it runs trio itself."""
        made = partial(restore, self.file, into or self.new, now=self.clock.now(), original_stopped=True)
        return await trio.to_thread.run_sync(made)


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    clock = VirtualClock()
    return Site(tmp_path, clock, ScriptedRemote(lambda: clock.now()))
