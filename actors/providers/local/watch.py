"""Tells the runtime which job to look at: at its end, which the kernel reports, and at a start or progress.

The latter are looked for once a second.
"""

from __future__ import annotations

import os
from contextlib import suppress

import attrs
import trio

from actors.jobs.records import Observation, Phase
from actors.providers.base import Nudge
from actors.providers.disk_threads import DiskThreads
from actors.providers.local.directory import JobDirectory
from actors.providers.local.jobs import LocalJobs

CHANGES_EVERY = 1.0  # seconds between looks at what jobs write, and so between two nudges for one job
STARTS_EVERY = 0.25  # seconds between looks while a job is being started
SWEEP_EVERY = 5  # looks after which a job without a known shim is nudged all the same: the net
FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT, Phase.LOST})


@attrs.frozen
class Sign:
    """The values that change when there is news of a job that lives."""

    started: bool = False
    stopping: bool = False
    progress: tuple[int, int] = (0, 0)  # time of change in ns, size


@attrs.define(eq=False)
class Watch:
    """Watches the jobs whose end the runtime has not seen. Where there are none, it sleeps."""

    _jobs: LocalJobs
    _threads: DiskThreads = attrs.field(factory=DiskThreads)
    _open: dict[str, Sign] = attrs.field(factory=dict)
    _woken: trio.Event = attrs.field(factory=trio.Event)
    _nudge: Nudge | None = None

    def follow(self, key: str) -> None:
        """Watch this job from now on."""
        self._open.setdefault(key, Sign())
        self._woken.set()

    def seen(self, key: str, observation: Observation | None) -> None:
        """Note what the runtime gets about the job (None: it does not exist), and watch it until that is its end."""
        if observation is None or (observation.phase in FINAL and observation.proven_dead):
            self._open.pop(key, None)
        else:
            self.follow(key)

    def nudge(self, key: str) -> None:
        """Call the runtime's nudge for one job, if there is a listener."""
        if self._nudge is not None:
            self._nudge(key)

    async def run(self, nudge: Nudge) -> None:
        """Nudge until cancelled: first for every job without an end, because there may be news of each."""
        self._nudge = nudge
        self._jobs.shims.on_end = self.nudge
        try:
            for key in await self._threads.run(self._adopt_all):
                self.follow(key)
                self.nudge(key)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_ends)
                nursery.start_soon(self._watch_changes)
        finally:
            self._nudge = self._jobs.shims.on_end = None

    async def _watch_ends(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._jobs.shims)
            self._jobs.shims.collect()

    async def _watch_changes(self) -> None:
        looks = 0
        while True:
            while not self._open:
                self._woken = trio.Event()
                await self._woken.wait()
            await trio.sleep(CHANGES_EVERY if all(sign.started for sign in self._open.values()) else STARTS_EVERY)
            looks += 1
            signs = await self._threads.run(self._signs, list(self._open))
            for key, sign in signs.items():
                before = self._open.get(key)
                overdue = looks % SWEEP_EVERY == 0 and key not in self._jobs.shims
                if before is not None and (before != sign or overdue):
                    self._open[key] = sign
                    self.nudge(key)

    def _adopt_all(self) -> list[str]:
        directories = self._jobs.unended()
        for directory in directories:
            self._adopt(directory)
        self._jobs.shims.ensure_zygote()
        return [directory.key for directory in directories]

    def _signs(self, keys: list[str]) -> dict[str, Sign]:
        self._jobs.shims.ensure_zygote()
        directories = [JobDirectory.of(self._jobs.folder, key) for key in keys]
        for directory in directories:
            self._adopt(directory)
        return {directory.key: sign_of(directory) for directory in directories}

    def _adopt(self, directory: JobDirectory) -> None:
        with suppress(OSError, ValueError):  # unreadable files: the observation says so, this loop only looks
            self._jobs.shims.adopt(directory)


def sign_of(directory: JobDirectory) -> Sign:
    """Return the job's sign as it is now."""
    try:
        status = directory.progress.lstat()
        progress = (status.st_mtime_ns, status.st_size)
    except OSError:
        progress = (0, 0)
    started = os.path.lexists(directory.started) or os.path.lexists(directory.run)  # the latter is the job's to remove
    return Sign(started, os.path.lexists(directory.cancel), progress)
