"""The runtime is nudged when a job may have changed, by the kernel where it can tell; without jobs nothing is done."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import Observation, Phase
from actors.providers.local import LocalProvider
from actors.providers.local.watch import Sign, Watch
from tests.providers.local.stage import PATIENCE, Stage, until


@attrs.define
class Listener:
    """Keeps the nudges, and waits for one after which something holds."""

    stage: Stage
    provider: LocalProvider
    nudged: list[str] = attrs.field(factory=list)
    _arrived: trio.Event = attrs.field(factory=trio.Event)

    def nudge(self, key: str) -> None:
        self.nudged.append(key)
        self._arrived.set()

    async def phase(self, key: str, wanted: Callable[[Phase], bool]) -> None:
        """Look at the job after nudges only, until its phase is as wanted."""
        await self.seen(key, lambda seen: wanted(seen.phase))

    async def seen(self, key: str, wanted: Callable[[Observation], bool]) -> None:
        """Look at the job after nudges only, until what is seen of it is as wanted."""
        with trio.fail_after(PATIENCE):
            while True:
                self._arrived = trio.Event()
                if wanted(await self.stage.observe(key, self.provider)):
                    return
                await self._arrived.wait()


@asynccontextmanager
async def listening(stage: Stage, provider: LocalProvider) -> AsyncIterator[Listener]:
    listener = Listener(stage, provider)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(provider.watch, listener.nudge)
        yield listener
        nursery.cancel_scope.cancel()


async def test_start_and_end_of_a_job_are_told(stage: Stage) -> None:
    async with listening(stage, stage.provider) as listener:
        key = await stage.shell("until [ -e go ]; do sleep 0.01; done")
        await listener.phase(key, lambda phase: phase is Phase.RUNNING)
        (stage.directory(key).work / "go").touch()
        await listener.phase(key, lambda phase: phase is Phase.SUCCEEDED)


async def test_progress_is_told(stage: Stage) -> None:
    async with listening(stage, stage.provider) as listener:
        script = "touch ready; until [ -e go ]; do sleep 0.01; done; echo '{}' > $GREENROOM_PROGRESS_FILE; sleep 1000"
        await stage.wrote(key := await stage.shell(script), "ready")
        await listener.phase(key, lambda phase: phase is Phase.RUNNING)
        before = len(listener.nudged)
        (stage.directory(key).work / "go").touch()
        await listener.seen(key, lambda seen: seen.progress == {})
        await until(lambda: len(listener.nudged) > before)


async def test_the_end_of_an_adopted_job_is_told(stage: Stage) -> None:
    """Its shim is no child of this process; the kernel tells all the same, and of a shim that was killed too."""
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000"), "ready")
    await stage.wrote(lost := await stage.shell("touch ready; exec sleep 1000"), "ready")
    run, lost_run = await stage.started(key), await stage.started(lost)
    await stage.provider.aclose()
    heir = stage.another()
    async with listening(stage, heir) as listener:
        await until(lambda: {key, lost} <= set(listener.nudged))
        assert (await stage.observe(key, heir)).phase is Phase.RUNNING
        os.kill(run["child"], signal.SIGKILL)
        await listener.phase(key, lambda phase: phase is Phase.FAILED)
        os.kill(lost_run["shim"], signal.SIGKILL)
        await listener.phase(lost, lambda phase: phase is Phase.LOST)


async def test_what_happened_before_the_watch_began_is_told_at_its_start(stage: Stage) -> None:
    """Every job without an end that was seen is looked at once."""
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000"), "ready")
    async with listening(stage, stage.provider) as listener:
        await until(lambda: key in listener.nudged)


async def test_a_cancel_that_nobody_can_hear_is_told_at_once(stage: Stage) -> None:
    """No shim will ever end for a job that was never started: the cancel itself is the news."""
    provider = stage.provider
    directory = stage.directory("left")
    async with listening(stage, provider) as listener:
        await listener.phase(await stage.submit("true"), lambda phase: phase is Phase.SUCCEEDED)
        directory.place({"argv": ["true"], "cwd": "/", "env": {}, "gpus": 0, "grace_seconds": 1})
        await provider.cancel("left", {})
        assert listener.nudged.count("left") == 1
        assert (await stage.observe("left")).phase is Phase.CANCELED


async def test_without_a_live_job_the_watch_sleeps(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Not one look at the disk in a virtual day."""
    looks: list[list[str]] = []

    def count(_: Watch, keys: list[str]) -> dict[str, Sign]:
        looks.append(keys)
        return {}

    monkeypatch.setattr(Watch, "_signs", count)
    async with listening(stage, stage.provider):
        await trio.sleep(86_400)
    assert looks == []


async def test_a_job_whose_end_was_seen_is_watched_no_longer(stage: Stage) -> None:
    async with listening(stage, stage.provider) as listener:
        await listener.phase(key := await stage.submit("true"), lambda phase: phase is Phase.SUCCEEDED)
        assert key not in stage.provider._watch._open
        assert key not in stage.provider._jobs.shims
