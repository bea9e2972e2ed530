"""The provider `local`: runs jobs on this machine, each as its own tree of processes, which outlive the supervisor."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from actors.jobs.records import Capacity, JobRequest, Observation, Phase
from actors.providers.abilities import ListedJob, RequestFault
from actors.providers.base import (
    ABSENT,
    CancelAck,
    Capabilities,
    Found,
    Handle,
    LogChunk,
    Nudge,
    Prepared,
    Push,
    Submitted,
    View,
)
from actors.providers.deliveries import NoDeliveries
from actors.providers.disk_threads import DiskThreads
from actors.providers.disk_usage import bytes_below
from actors.providers.errors import FieldFault, Invalid, ProviderError, Unavailable, explained_as, wrong
from actors.providers.local.beginning import beginning
from actors.providers.local.capacity import machine_capacity, machine_devices
from actors.providers.local.directory import JobDirectory
from actors.providers.local.early_checks import EarlyChecks
from actors.providers.local.environment import OURS
from actors.providers.local.gpus import FoundGpus
from actors.providers.local.jobs import LocalJobs
from actors.providers.local.log_places import log_place
from actors.providers.local.logs import read_log
from actors.providers.local.lost_jobs import proof_here
from actors.providers.local.options import LocalOptions
from actors.providers.local.shim.files import NotPlain
from actors.providers.local.watch import Watch
from actors.providers.programs import environment_faults, program_of, resource_faults
from logconf import get_logger

_logger = get_logger("actors.providers.local")

MIN_KERNEL = (5, 3)  # pidfd_open


class LocalProvider(NoDeliveries):
    """This machine. ``root`` is a folder of its own; ``name`` is what the configuration calls it.

    What is known of a job stands in the files of its directory (:mod:`.directory`), so that another object on the
    same ``root``, in the next supervisor, knows as much as this one. Raises :class:`Unavailable` where the kernel
    lacks what is needed (C8). The construction may ask ``nvidia-smi`` and then takes its time.
    """

    def __init__(self, options: LocalOptions, root: Path, name: str = "local") -> None:
        require_linux(sys.platform, os.uname().release if hasattr(os, "uname") else "")
        self.name = name
        proof, cgroup_parent = proof_here()
        self.capabilities = Capabilities(
            push=Push.LOCAL_EVENT,
            survives_our_restart=options.survives_our_restart,
            lost_job_proof=proof,
            deadline_grace=options.grace_seconds,
        )
        self._options = options
        self._root = root.resolve()
        self._gpus = machine_devices(options)
        devices = self._gpus.devices
        self._capacity = machine_capacity(options, devices)
        self._early_checks = EarlyChecks(options.entry_points, self._capacity)
        self._jobs = LocalJobs(self._root, options, devices, cgroup_parent)
        self._threads = DiskThreads()
        self._watch = Watch(self._jobs, self._threads)

    def capacity(self) -> Capacity:
        """What the machine has of each resource: cores, GPUs, and memory for the jobs that say how much they need."""
        return self._capacity

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of the GPUs, as jobs see them in ``CUDA_VISIBLE_DEVICES``."""
        return self._gpus.devices

    def prepare(self, request: JobRequest) -> Prepared:
        """Check ``request``. Raises :class:`Invalid` naming every fault."""
        return prepare_request(request, self._options)

    async def check_requests(self, requests: Sequence[JobRequest]) -> list[tuple[RequestFault, ...]]:
        """Check that the directories are there, the programs are found, and the needs can ever be met (E6)."""
        return await self._early_checks.faults(requests)

    async def check(self) -> Mapping[str, Any]:
        """Say what resources there are, and check that jobs can be written to the disk. Raises :class:`Unavailable`."""
        with explained_as(Unavailable, f"{self._jobs.folder} cannot be used"):
            usage = await self._threads.run(shutil.disk_usage, self._jobs.folder)
        if not os.access(self._jobs.folder, os.W_OK | os.X_OK):
            raise Unavailable(f"{self._jobs.folder} is not writable")
        return {
            "directory": str(self._jobs.folder),
            "free_bytes": usage.free,
            "cpus": self._capacity.cpus,
            "gpus": self._capacity.gpus,
            "memory": self._capacity.memory,
        }

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Write the job down and start its shim. The same key again starts nothing that was started.

        Raises :class:`Unavailable` when the disk, the process table or a GPU is not to be had; nothing is left then.
        """
        directory = self._directory(key)
        existed = await self._threads.run(self._jobs.submit, directory, prepared.body, dict(context))
        self._watch.follow(key)
        observation = await self._observe(directory) if existed else Observation(Phase.STARTING, raw_status="starting")
        return Submitted(self._handle(directory), observation, existed)

    async def find(self, key: str, token: str) -> Found:
        """Return what the directory of ``key`` says. A job that was submitted and never started is started as well."""
        directory = self._directory(key)
        observation = await self._observe(directory)
        return ABSENT if observation is None else Submitted(self._handle(directory), observation, existed=True)

    async def records_since(self) -> datetime | None:
        """Return since when this folder has had the directory of each job."""
        return await self._threads.run(beginning, self._root)

    async def list_jobs(self) -> list[ListedJob]:
        """Return the jobs that have not ended."""
        unended = await self._threads.run(self._jobs.unended)
        return [ListedJob(one.key, str(one.path)) for one in unended]

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Return what the directories of these keys say.

        Before a job is called lost, what outlived its shim is ended.
        """
        self._jobs.shims.collect()
        view = await self._threads.run(self._jobs.view, [self._directory(key) for key in handles])
        for key in handles:
            if key not in view.failed:
                self._watch.seen(key, view.observations.get(key))
        return view

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Write the cancel file, then send SIGTERM to the shim, which ends the job's processes.

        Repeating it changes nothing.
        """
        directory = self._directory(key)
        with explained_as(Unavailable, "the cancel request cannot be written down"):
            ack = await self._threads.run(self._jobs.cancel, directory)
        self._watch.nudge(key)
        return ack

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        """Give the job's output from ``cursor`` (a byte offset) to its present end, also after the end of the job."""
        async for chunk in read_log(self._directory(key), cursor, self._threads):
            yield chunk

    async def log_cursor(self, key: str, handle: Handle, *, lines: int | None, since: datetime | None) -> str | None:
        """Return where the last lines begin, or the output after a time.

        Times are a second apart, for long jobs up to a minute.
        """
        with explained_as(ProviderError, f"the output of job {key} cannot be read", NotPlain):
            place = await self._threads.run(log_place, self._directory(key), lines, since)
        return None if place is None else str(place)

    async def forget(self, key: str, handle: Handle) -> None:
        """Remove the directory of an ended job. Raises :class:`Conflict` for one that may still run."""
        await self._threads.run(self._jobs.forget, self._directory(key))

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """Return how many bytes the job's directory takes on the disk."""
        return await self._threads.run(bytes_below, self._directory(key).path)

    async def settled(self, key: str) -> None:
        """Record that nothing of a lost job runs any more, and free its devices. Raises :class:`Unavailable`."""
        with explained_as(Unavailable, "the verdict cannot be written down"):
            await self._threads.run(self._jobs.settle, self._directory(key))

    async def watch(self, nudge: Nudge) -> None:
        """Run until cancelled, and nudge at every end, start and new progress.

        It also watches jobs that run already.
        """
        if self._gpus.fault:  # said by who runs jobs, once, and not by who only looks
            number, fault = len(self._gpus.devices), self._gpus.fault
            self._gpus = FoundGpus(self._gpus.devices)
            extra = {"provider": self.name, "gpus": number}
            _logger.warning("The GPU driver fails, %d GPUs can be used: %s", number, fault, extra=extra)
        await self._watch.run(nudge)

    async def aclose(self) -> None:
        """Stop watching the shims. The jobs run on."""
        self._jobs.shims.close()

    def _directory(self, key: str) -> JobDirectory:
        return JobDirectory.of(self._jobs.folder, key)

    def _handle(self, directory: JobDirectory) -> Handle:
        return {"directory": str(directory.path), "output": str(directory.output)}

    async def _observe(self, directory: JobDirectory) -> Observation | None:
        self._jobs.shims.collect()
        with explained_as(ProviderError, f"the files of job {directory.key} cannot be read", OSError, ValueError):
            observation = await self._threads.run(self._jobs.observation, directory)
        self._watch.seen(directory.key, observation)
        return observation


def require_linux(platform: str, release: str) -> None:
    """Raise :class:`Unavailable`, in one sentence, where the local provider cannot work (C8)."""
    if platform != "linux":
        raise Unavailable(f"the local provider needs Linux 5.3 or newer, and this is {platform}; use another provider")
    numbers = [int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit()]
    if len(numbers) == 2 and tuple(numbers) < MIN_KERNEL:
        raise Unavailable(f"the local provider needs Linux 5.3 or newer, and this is Linux {release}")


def prepare_request(request: JobRequest, options: LocalOptions) -> Prepared:
    """Return the body of a submission. Raises :class:`Invalid` that names every fault and how to mend it."""
    faults: list[FieldFault] = []
    program = program_of(request, options.entry_points, faults)
    faults += environment_faults(program.env, OURS)
    faults += resource_faults(request, Capacity(), "this machine has")
    if request.spec:
        name = f"spec.{next(iter(request.spec))!s:.80}"
        faults.append(wrong(name, "is unknown: this provider takes no spec, use command"))
    if faults:
        raise Invalid(*faults)
    inherited = request.inherited_env
    return Prepared(
        {
            "argv": list(program.argv),
            "cwd": program.cwd,
            "env": dict(program.env),
            "inherited_env": None if inherited is None else dict(inherited),
            "gpus": request.resources.gpus,
            "max_runtime": request.max_runtime,
        }
    )
