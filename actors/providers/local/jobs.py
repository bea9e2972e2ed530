"""All operations on jobs of this machine, each on the directory of its job. They block, and are for worker threads."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from actors.jobs.records import Observation, Phase
from actors.providers.base import CancelAck, View
from actors.providers.errors import Conflict, OutcomeUnknown, Unavailable, explained_as
from actors.providers.local.beginning import note_beginning
from actors.providers.local.capacity import Lease, leased
from actors.providers.local.directory import JobDirectory, job_directories, read_record
from actors.providers.local.environment import job_environment
from actors.providers.local.liveness import Look, Standing, has_end, is_locked, look, settle_unstarted
from actors.providers.local.lost_jobs import LostJobs
from actors.providers.local.observing import lost, never_ran, observe
from actors.providers.local.options import LocalOptions
from actors.providers.local.outputs import Outputs
from actors.providers.local.processes import processes_of
from actors.providers.local.progress import ProgressPlaces
from actors.providers.local.shim.files import MOST_SPEC, NotPlain, make_empty
from actors.providers.local.shims import Shims

MAX_STARTS = 3  # shims that may die before the program runs, until the job is called failed
LOCK_SECONDS = 20.0  # for one start to wait for another; a disk that hangs in one must not hold all threads


class LocalJobs:
    """All jobs below one root folder: ``jobs/KEY/`` for each job, ``devices/`` for the locks of the GPUs."""

    def __init__(
        self,
        root: Path,
        options: LocalOptions,
        devices: tuple[str, ...],
        cgroup_parent: Path | None = None,
    ) -> None:
        self.folder = root / "jobs"
        self.shims = Shims(options.zygote)
        self._lost = LostJobs(root / "gone", self.shims, cgroup_parent)
        self._leases = root / "devices"
        self._devices = devices
        self._options = options
        self._outputs = Outputs(ProgressPlaces(root / "progress"))
        self._starts: Counter[str] = Counter()
        self._one_at_a_time = threading.Lock()  # starts: two threads with one job must not start it twice
        note_beginning(root, self.folder)
        for folder in (self.folder, self._leases):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def submit(self, directory: JobDirectory, body: Mapping[str, Any], context: Mapping[str, str]) -> bool:
        """Write the job down and start its shim. True: it had been written down before.

        Raises :class:`Unavailable`, and :class:`OutcomeUnknown` where a power cut might take a job that was started.
        """
        if directory.is_submitted:
            return True
        spec = {
            "job_id": context.get("job_id", directory.key),
            "argv": body["argv"],
            "cwd": body["cwd"] or str(directory.work),
            "env": job_environment(directory, body["inherited_env"], body["env"], context),
            "gpus": body["gpus"],
            "max_runtime": body["max_runtime"],
            "grace_seconds": self._options.grace_seconds,
            "log_bytes": self._options.log_bytes,
            "submitted_at": time.time(),
        }
        with self._leased(body["gpus"], directory.key) as lease:
            placed = directory.place(spec, context.get("parents"))
            if placed:
                self._begin(directory, lease)
        if placed:
            with explained_as(OutcomeUnknown, "the job was started, and its directory cannot be synced"):
                directory.sync_names()  # while the shim gets ready, which opens no gate before its own note is synced
        return not placed

    @contextmanager
    def _leased(self, gpus: int, key: str) -> Iterator[Lease]:
        """Reserve devices for one start. Only one start at a time does this. Raises :class:`Unavailable`."""
        if not self._one_at_a_time.acquire(timeout=LOCK_SECONDS):
            raise Unavailable("another start takes long")
        try:
            with leased(self._leases, self._devices, gpus, key, self._is_gone) as lease:
                yield lease
        finally:
            self._one_at_a_time.release()

    def _begin(self, directory: JobDirectory, lease: Lease) -> None:
        try:
            self.shims.start(directory, lease, self._lost.group(directory))
        except OSError as error:
            directory.remove()
            raise Unavailable(f"no process can be started: {error}") from error

    def view(self, directories: Iterable[JobDirectory]) -> View:
        """Return what all these directories say."""
        observations, absent, failed = {}, set(), {}
        for directory in directories:
            try:
                observation = self.observation(directory)
            except (OSError, ValueError) as error:
                failed[directory.key] = str(error)
                continue
            if observation is None:
                absent.add(directory.key)
            else:
                observations[directory.key] = observation
        return View(observations, frozenset(absent), failed)

    def observation(self, directory: JobDirectory) -> Observation | None:
        """Return what the directory says, or None where nothing was submitted.

        A job that no shim runs is started again.
        """
        has_shim = directory.key in self.shims  # read before the look, during which its shim may end
        seen = self._look(directory, has_shim=has_shim)
        if seen.standing is Standing.ABSENT:
            return None
        if seen.standing is Standing.DEAD:
            return lost(directory, seen, self._lost.clear(directory, seen), self._outputs)
        if seen.standing is not Standing.UNSTARTED:
            return observe(directory, seen, self._outputs)
        if seen.cancel:
            return never_ran()
        waiting = self._start_again(directory)
        settled = look(directory) if waiting == "" else seen
        if settled.exit is not None:
            return observe(directory, settled, self._outputs)
        return Observation(phase=Phase.STARTING, raw_status=waiting or "starting")

    def cancel(self, directory: JobDirectory) -> CancelAck:
        """Write the cancel file first, then send the signal. Raises OSError where the file cannot be written."""
        seen = self._look(directory, has_shim=directory.key in self.shims)
        if seen.standing is Standing.ABSENT:
            return CancelAck.UNKNOWN_JOB
        if seen.standing in (Standing.ENDED, Standing.DEAD):
            return CancelAck.ALREADY_TERMINAL
        if not seen.cancel:  # an empty file, which a full disk still has room for
            with suppress(FileNotFoundError, NotPlain), directory.opened() as folder:  # else the job took it away
                make_empty(folder, directory.cancel.name)
                os.fsync(folder)
        self.shims.terminate(directory)
        return CancelAck.ACCEPTED

    def forget(self, directory: JobDirectory) -> None:
        """Remove what is kept of an ended job. Raises :class:`Conflict` where it may still run."""
        seen = self._look(directory)
        if seen.standing in (Standing.STARTING, Standing.RUNNING):
            raise Conflict(f"job {directory.key} is still running and cannot be forgotten")
        if seen.standing is Standing.UNSTARTED and not settle_unstarted(directory, {"cancelled": True}):
            raise Conflict(f"job {directory.key} is just being started and cannot be forgotten")
        if seen.standing is Standing.DEAD and not self._lost.clear(directory, seen).proven:
            raise Conflict(f"job {directory.key} may have processes left and cannot be forgotten")
        directory.remove()
        self._lost.forget(directory.key)
        self._outputs.forget(directory.key)
        self._starts.pop(directory.key, None)

    def settle(self, directory: JobDirectory) -> None:
        """Record that nothing of a lost job runs any more, because a person says so. Raises OSError."""
        seen = self._look(directory)
        if seen.standing is Standing.DEAD:
            self._lost.settle(directory.key, seen)

    def unended(self) -> list[JobDirectory]:
        """Return the jobs on the disk that have no exit record."""
        return [one for one in job_directories(self.folder) if not has_end(one) or is_locked(one.lock)]

    def _start_again(self, directory: JobDirectory) -> str | None:
        """Start a shim for a job that has none.

        Return in words why the job has to wait, "" where it was given up, or None where a shim was started.
        """
        key = directory.key
        if self._starts[key] >= MAX_STARTS:
            return _give_up(directory, f"its shim ended {MAX_STARTS} times before the program was run; see its log")
        try:
            gpus = _gpus(directory)
        except ValueError as error:
            return _give_up(directory, str(error))
        try:
            with self._leased(gpus, key) as lease:
                if key not in self.shims:
                    self._starts[key] += 1
                    self.shims.start(directory, lease, self._lost.group(directory))
        except (Unavailable, OSError) as error:
            return f"waiting: {error}"
        return None

    def _look(self, directory: JobDirectory, *, has_shim: bool = False) -> Look:
        """Look at the directory. A job that has removed its own files does not count as absent."""
        seen = look(directory, has_shim=has_shim, finished_shim=self.shims.finished.get(directory.key))
        if seen.standing is Standing.ABSENT and self._lost.is_known(directory):
            return Look(Standing.DEAD, fault="it has removed its own directory")
        return seen

    def _is_gone(self, key: str) -> bool:
        """Return whether nothing of the job runs any more, including processes that outlived its shim."""
        directory = JobDirectory.of(self.folder, key)
        seen = self._look(directory)
        if seen.standing is Standing.DEAD:
            return self._lost.clear(directory, seen).proven
        return seen.standing not in (Standing.STARTING, Standing.RUNNING) and not processes_of(directory).marked


def _give_up(directory: JobDirectory, reason: str) -> str | None:
    """End a job that was never started. Return "" where that is done, None where a shim has started meanwhile."""
    return "" if settle_unstarted(directory, {"failure": {"stage": "start", "reason": reason}}) else None


def _gpus(directory: JobDirectory) -> int:
    spec = read_record(directory.spec, MOST_SPEC) or {}
    gpus = spec.get("gpus")
    if isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 0:
        raise ValueError(f"{directory.spec.name} does not say how many GPUs")
    return gpus
