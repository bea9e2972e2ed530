"""Control groups (version 2), one for each job: with one, the kernel says when no process of a job is left.

They are made below the control group of this process, where that is allowed: for root, or where the group was delegated
to its user (``Delegate=yes`` in a systemd unit). A job that moves itself into another group is not covered.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from actors.providers.local.directory import JobDirectory
from actors.providers.local.shim.cgroup import kill_cgroup, leave
from actors.providers.local.shim.system import read

PREFIX = "greenroom-"
NAME_SPACE = Path("/proc/self/ns/cgroup")


def cgroup_parent() -> Path | None:
    """Return the folder in which control groups of jobs can be made, or None where there is none."""
    own = own_cgroup()
    if own is None:
        return None
    probe = own / f"{PREFIX}probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return None
    try:
        whole = (probe / "cgroup.type").read_text().strip() == "domain"
        return own if whole and all(os.access(path / "cgroup.procs", os.W_OK) for path in (own, probe)) else None
    except OSError:
        return None
    finally:
        with suppress(OSError):
            probe.rmdir()


def cgroup_of(parent: Path, directory: JobDirectory) -> Path:
    """Return the control group of a job.

    It is named after the job's directory, so that no two jobs on a machine share one.
    """
    return parent / (PREFIX + hashlib.sha256(os.fsencode(directory.path)).hexdigest()[:24])


def end_cgroup(record: object, directory: JobDirectory, deadline: float) -> bool:
    """Kill what is in the job's control group, wait until it is empty, and remove it.

    ``record`` is what the shim wrote about the group; ``deadline`` is a time of :func:`time.monotonic`. Returns True
    where nothing is left of the job, False where something is, or where there is no group that could tell.
    """
    path = _recorded(record, directory)
    return path is not None and end_group(path, deadline)


def end_group(path: Path, deadline: float) -> bool:
    """Kill what is in a control group, wait until it is empty, and remove it. Returns False where something is left."""
    while path.exists():
        _kill(path)
        if "populated 0" in _events(path):
            leave(str(path))
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)  # in a worker thread
    return True


def own_cgroup() -> Path | None:
    """Return the control group that this process is in, or None where it is in none that can be seen."""
    try:
        own = next((line[3:] for line in read("/proc/self/cgroup").splitlines() if line.startswith("0::")), None)
        mounts = [line.partition(" - ") for line in read("/proc/self/mountinfo").splitlines()]
    except OSError:
        return None
    for mount, _, kind in mounts:
        root, point = mount.split()[3:5]
        if own is not None and kind.startswith("cgroup2 ") and "\\" not in point:
            with suppress(ValueError):
                return Path(point, Path(own).relative_to(root))
    return None


def _recorded(record: object, directory: JobDirectory) -> Path | None:
    """Return the group's folder where it surely is the recorded one: same name space, same file system."""
    if not isinstance(record, Mapping):
        return None
    path, device, space = (record.get(name) for name in ("path", "device", "space"))
    if not isinstance(path, str) or "\0" in path or path != str(cgroup_of(Path(path).parent, directory)):
        return None
    there = next((above for above in (Path(path), *Path(path).parents) if above.exists()), Path("/"))
    with suppress(OSError):
        if str(NAME_SPACE.readlink()) == space and there.stat().st_dev == device:
            return Path(path)
    return None


def _kill(path: Path) -> None:
    if (path / "cgroup.kill").exists():
        kill_cgroup(str(path))
        return
    for folder in (path, *(entry for entry in path.rglob("*") if entry.is_dir())):  # Linux before 5.14
        with suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)


def _events(path: Path) -> str:
    try:
        return (path / "cgroup.events").read_text()
    except FileNotFoundError:  # removed by its shim
        return "populated 0"
