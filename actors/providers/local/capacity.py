"""Finds out what this machine can give to jobs, and which job holds which GPU.

A job holds a GPU by a lock on a file of that GPU. The shim inherits the open file, so the lock ends with the shim, and
after a restart of the supervisor the locks still say which GPUs are taken. The file also names the job that holds or
last held the GPU: the GPU is free only when the processes of that job are gone; the end of its shim is not enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from actors.jobs.records import Capacity
from actors.providers.errors import Unavailable
from actors.providers.local.cgroups import own_cgroup
from actors.providers.local.directory import closing, opened_folder
from actors.providers.local.gpus import FoundGpus, find_gpus
from actors.providers.local.options import LocalOptions
from actors.providers.local.shim.files import NotPlain, open_plain
from actors.providers.local.shim.system import count_in, read

FIRST_FREE_FD = 200  # leases are opened above the descriptors under which the shim inherits them (3, 4, ...)


@attrs.frozen
class Lease:
    """GPUs that are reserved for one job: their names, and descriptors of the locked files for the shim."""

    devices: tuple[str, ...]
    fds: tuple[int, ...]

    @property
    def visible(self) -> str:
        """The value for ``CUDA_VISIBLE_DEVICES``.

        The value "" hides all GPUs; without the variable, all would be visible.
        """
        return ",".join(self.devices)


def machine_capacity(options: LocalOptions, devices: tuple[str, ...]) -> Capacity:
    """Return what there is of each resource: as the options say, else this process's cores and 90 % of the memory."""
    cpus = options.cpus if options.cpus is not None else len(os.sched_getaffinity(0))
    memory = options.memory
    if memory is None and (there := memory_here(group=own_cgroup())) is not None:
        memory = there * 9 // 10
    return Capacity(cpus=cpus, gpus=len(devices), memory=memory)


def memory_here(proc: Path = Path("/proc"), group: Path | None = None) -> int | None:
    """Return how many bytes of memory jobs can use, or None where the kernel does not say.

    They are those of the machine, or fewer where the control group of this process, ``group``, has a limit.
    """
    kib = count_in(str(proc / "meminfo"), "MemTotal:")
    found = None if kib is None else kib * 1024
    for folder in () if group is None else (group, *group.parents):
        with suppress(OSError, ValueError):  # a group without a limit, or no group
            limit = int(read(str(folder / "memory.max")))
            found = limit if found is None else min(found, limit)
    return found


def machine_devices(options: LocalOptions) -> FoundGpus:
    """Return the names of the GPUs for ``CUDA_VISIBLE_DEVICES``: UUIDs, which never change, where they are known."""
    if isinstance(options.gpus, tuple):
        return FoundGpus(options.gpus)
    if isinstance(options.gpus, int):
        return FoundGpus(tuple(str(index) for index in range(options.gpus)))
    return find_gpus()


@contextmanager
def leased(
    folder: Path, devices: tuple[str, ...], count: int, key: str, is_gone: Callable[[str], bool]
) -> Iterator[Lease]:
    """Reserve ``count`` of ``devices`` for the job ``key`` during the block, in which a shim inherits the locks.

    ``is_gone`` tells whether nothing of another job runs any more; it is called for the last holder of a device. Raises
    :class:`Unavailable` where not enough devices are free.
    """
    names: list[str] = []
    fds: list[int] = []
    try:
        for device in devices:
            if len(names) == count:
                break
            if (fd := _take(folder / f"gpu-{device}", key, is_gone)) is not None:
                names.append(device)
                fds.append(fd)
        if len(names) < count:
            raise Unavailable(f"{count} GPUs are requested and {len(names)} are free")
        yield Lease(tuple(names), tuple(fds))
    finally:
        for fd in fds:
            os.close(fd)


def _take(path: Path, key: str, is_gone: Callable[[str], bool]) -> int | None:
    import fcntl  # not on every system on which this module is imported

    try:
        with (
            opened_folder(path.parent) as folder,
            closing(open_plain(folder, path.name, os.O_RDWR | os.O_CREAT)) as low,
        ):
            fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_FD)
    except NotPlain:  # something else was put there: no lease can be had on it
        return None
    taken = False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder = os.pread(fd, 512, 0).decode(errors="replace").strip()
        taken = holder in ("", key) or is_gone(holder)
        if taken:
            os.ftruncate(fd, 0)
            os.pwrite(fd, key.encode(), 0)
    except BlockingIOError:
        pass
    finally:
        if not taken:
            os.close(fd)
    return fd if taken else None
