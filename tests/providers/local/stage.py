"""Real processes on this machine: a provider on a folder of its own, and the certainty that nothing is left of them."""

from __future__ import annotations

import itertools
import os
import select
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.jobs.records import JobRequest, Observation, Phase
from actors.providers.base import Submitted
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.local.cgroups import cgroup_parent, end_cgroup
from actors.providers.local.directory import JobDirectory, job_directories
from actors.providers.local.launching import SHIM
from actors.providers.local.liveness import Look, Standing, clear_survivors, look
from actors.providers.local.processes import processes_of

ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT, Phase.LOST})
PATIENCE = 60.0  # seconds; only a test that fails waits so long
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHON": sys.executable}

USUAL = LocalOptions(cpus=2, gpus=0, grace_seconds=0.5)
ONE_DEVICE = LocalOptions(cpus=8, gpus=("GPU-a",), grace_seconds=0.5)

needs_cgroup = pytest.mark.skipif(
    cgroup_parent() is None, reason="no control group (version 2) in which this process may make others"
)


@attrs.define
class Stage:
    """A provider and the few steps that tests are made of."""

    root: Path
    options: LocalOptions = USUAL
    providers: list[LocalProvider] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    @property
    def provider(self) -> LocalProvider:
        return self.providers[0] if self.providers else self.another()

    def another(self, **changes: Any) -> LocalProvider:
        """One more provider on the same folder, as the next supervisor has it."""
        provider = LocalProvider(attrs.evolve(self.options, **changes), self.root)
        self.providers.append(provider)
        if provider._options.zygote:
            ready_zygote(provider)
        return provider

    def directory(self, key: str) -> JobDirectory:
        return JobDirectory.of(self.root / "jobs", key)

    def look(self, key: str) -> Look:
        return look(self.directory(key))

    async def submit(self, *argv: str, key: str | None = None, by: LocalProvider | None = None, **more: Any) -> str:
        key = key or f"job-{next(self._numbers)}"
        await self.hand_over(key, *argv, by=by, **more)
        return key

    async def shell(self, script: str, **more: Any) -> str:
        return await self.submit("sh", "-c", script, **more)

    async def hand_over(self, key: str, *argv: str, by: LocalProvider | None = None, **more: Any) -> Submitted:
        provider = by or self.provider
        request = JobRequest(command=argv, **{"inherited_env": ENVIRONMENT, **more})
        context = {"job_id": f"id-of-{key}", "correlation_id": "abc123"}
        return await provider.submit(key, f"token-{key}", provider.prepare(request), context)

    async def observe(self, key: str, by: LocalProvider | None = None) -> Observation:
        view = await (by or self.provider).observe_many({key: {}})
        assert not view.failed, view.failed
        return view.observations[key]

    async def ended(self, key: str, by: LocalProvider | None = None) -> Observation:
        with trio.fail_after(PATIENCE):
            while (seen := await self.observe(key, by)).phase not in ENDED:  # noqa: ASYNC110 - nobody here knows of it
                await trio.sleep(0.01)
        return seen

    async def started(self, key: str) -> Mapping[str, Any]:
        """Wait until the shim has written down who runs; what it wrote."""
        await until(self.directory(key).run.exists)
        run = self.look(key).run
        assert run is not None
        return run

    async def wrote(self, key: str, name: str) -> Path:
        """Wait until the job has left a file of that name in its working directory."""
        path = self.directory(key).work / name
        await until(path.exists)
        return path

    def log(self, key: str) -> str:
        return self.directory(key).log.read_text()

    async def logged(self, key: str, text: str) -> None:
        """Wait until the job's log ends with ``text``: what a job has written is still in its pipe for a moment."""
        log = self.directory(key).log
        await until(lambda: log.exists() and log.read_text().endswith(text))

    async def until_gone(self, pids: Iterable[int]) -> None:
        """Wait until the processes are gone, reaped too, which takes the provider's own looks."""
        with trio.fail_after(PATIENCE):
            while any(map(exists, pids)):
                await self.provider.observe_many({})
                await trio.sleep(0.01)

    async def run_shim(self, directory: JobDirectory, shims: int = 1) -> None:
        """Run so many shims on one directory at once, until all of them have ended."""
        argv = [sys.executable, "-I", "-S", str(SHIM), str(directory.path)]
        async with trio.open_nursery() as nursery:
            for _ in range(shims):
                nursery.start_soon(partial(trio.run_process, argv, env=ENVIRONMENT))

    async def clean_up(self) -> None:
        """Kill what is left of all jobs; whatever is still starting is waited for."""
        if not self.providers:
            return
        for directory in job_directories(self.root / "jobs"):
            with suppress(OSError):  # a test has spoilt the directory
                directory.cancel.touch()
            await until(lambda: look(directory).standing is not Standing.STARTING)
            while pids := (left := processes_of(directory)).shims + left.marked:
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await trio.sleep(0.01)
            end_processes(directory, look(directory))
        for provider in self.providers:
            await provider.aclose()


def ready_zygote(provider: LocalProvider) -> int:
    """Have the provider fork its shims, as its watch does, and wait until it can: the zygote's pid."""
    deadline = time.monotonic() + PATIENCE
    while True:
        provider._jobs.shims.ensure_zygote()
        zygote = provider._jobs.shims._zygote
        assert zygote is not None
        if zygote.ensure():
            return zygote._pid
        assert time.monotonic() < deadline
        select.select([zygote._channel], [], [], PATIENCE)


def end_processes(directory: JobDirectory, seen: Look) -> None:
    """End what a job has left, and remove its control group."""
    end_cgroup((seen.run or {}).get("cgroup"), directory, time.monotonic() + PATIENCE)
    clear_survivors(directory, seen)


@asynccontextmanager
async def opened(root: Path, options: LocalOptions = USUAL) -> AsyncIterator[Stage]:
    """A stage that is clean when it is left, however that is."""
    stage = Stage(root, options)
    try:
        yield stage
    finally:
        with trio.CancelScope(shield=True):
            await stage.clean_up()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody in this process could set an event
            await trio.sleep(0.01)


def exists(pid: int) -> bool:
    """Whether the number is taken, if only by a process that waits to be reaped."""
    return Path(f"/proc/{pid}").exists()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
