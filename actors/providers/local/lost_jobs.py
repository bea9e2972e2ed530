"""Finds out whether anything is left of a job whose shim was killed. It says "nothing" only where that is proven.

A job can remove every mark: it can clear its environment, leave its group and its session, and outlive its parent. So
one of these is needed as a proof; what was proven is written to the disk, so that it is known after a restart:

- the control group of the job is empty (:mod:`.cgroups`);
- this process started the job's shim, has received all orphans since, and none of them can be of the job
  (:mod:`.subreaper`);
- the machine was restarted, or a person said so (``greenroom settle``).

Without a proof the job is uncertain, and its devices stay taken.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import attrs

from actors.providers.base import LostJobProof
from actors.providers.local.cgroups import cgroup_of, cgroup_parent, end_cgroup, end_group
from actors.providers.local.directory import JobDirectory
from actors.providers.local.liveness import CLEARING, Look, clear_survivors
from actors.providers.local.processes import processes_of
from actors.providers.local.shims import Shims
from actors.providers.local.subreaper import is_running, is_subreaper, orphans_since, reap_orphans

PASSING = 0.5  # seconds that orphans are given at the first look: the drainer ends with the last writer


@attrs.frozen
class Remains:
    """What a lost job left. ``proven``: nothing of it runs any more. ``pids``: processes that may be of it."""

    proven: bool
    pids: tuple[int, ...] = ()


@attrs.frozen
class LostJobs:
    """Ends what lost jobs left. It keeps a file in ``folder`` for each job of which surely nothing is left."""

    folder: Path
    shims: Shims
    cgroup_parent: Path | None = None
    _looked: set[str] = attrs.field(factory=set)

    def clear(self, directory: JobDirectory, seen: Look) -> Remains:
        """End what is left of a job whose shim is gone, as far as it can be found, and say whether that is all."""
        if self._is_settled(directory.key, seen):
            return Remains(proven=True)
        marked = processes_of(directory).marked  # they contradict whatever a record says, which the job may have forged
        if seen.run is not None and not seen.same_boot and directory.key not in self.shims.started:
            return Remains(proven=not marked, pids=marked)
        empty = self._end_group(directory, seen)
        left = clear_survivors(directory, seen) or list(processes_of(directory).marked)
        if not empty and not left:
            empty, left = self._account(directory)
        if empty and not left:
            with suppress(OSError):  # else it is proven again, as long as that is possible
                self.settle(directory.key, seen)
            return Remains(proven=True)
        return Remains(proven=False, pids=tuple(left))

    def is_known(self, directory: JobDirectory) -> bool:
        """Return whether the job is known to have been started, from what the job itself cannot remove."""
        group = self.group(directory)
        return directory.key in self.shims.started or (group is not None and group.exists())

    def group(self, directory: JobDirectory) -> Path | None:
        """Return the control group of the job, or None where there are none on this machine."""
        return None if self.cgroup_parent is None else cgroup_of(self.cgroup_parent, directory)

    def _end_group(self, directory: JobDirectory, seen: Look) -> bool:
        """End what is in the job's control group. Returns True where it had one and nothing is left."""
        deadline = time.monotonic() + CLEARING
        if seen.run is not None:
            return end_cgroup(seen.run.get("cgroup"), directory, deadline)
        group = self.group(directory)  # a program is let go only after it was put there
        return group is not None and group.exists() and end_group(group, deadline)

    def settle(self, key: str, seen: Look) -> None:
        """Record that nothing of the job runs any more. Raises OSError where that cannot be written."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._file(key).write_text(_shim_of(seen))  # not synced: when the machine is restarted, nothing runs either

    def forget(self, key: str) -> None:
        """Remove what is kept of a job that is removed."""
        self._file(key).unlink(missing_ok=True)
        self._looked.discard(key)
        self.shims.forget(key)

    def _file(self, key: str) -> Path:
        return self.folder / key

    def _is_settled(self, key: str, seen: Look) -> bool:
        """Return whether it is recorded for exactly this run of the job that nothing of it runs."""
        with suppress(OSError, UnicodeDecodeError):
            return self._file(key).read_text() == _shim_of(seen)
        return False

    def _account(self, directory: JobDirectory) -> tuple[bool, list[int]]:
        """Return whether the list of orphans is complete for the job, and the orphans that may be of the job."""
        shim = self.shims.started.get(directory.key)
        if shim is None or not shim.reaped_by_us or not is_subreaper() or is_running(shim.pid, shim.ticks):
            return False, []
        patience = 0.0 if directory.key in self._looked else PASSING
        self._looked.add(directory.key)
        until = time.monotonic() + patience
        while left := orphans_since(shim.ticks, str(directory.output)):
            if time.monotonic() >= until:
                break
            time.sleep(0.01)  # in a worker thread
            reap_orphans()
        return True, left


def _shim_of(seen: Look) -> str:
    run = seen.run or {}
    return f"{run.get('boot_id')} {run.get('shim')} {run.get('shim_ticks')}\n"


def proof_here() -> tuple[LostJobProof, Path | None]:
    """Return what can prove here that nothing of a lost job runs, and where control groups of jobs are made."""
    if (parent := cgroup_parent()) is not None:
        return LostJobProof.CGROUP, parent
    return (LostJobProof.SUBREAPER if is_subreaper() else LostJobProof.NONE), None
