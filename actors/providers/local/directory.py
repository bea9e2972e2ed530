"""One directory for each submission key: what is known of a job stands in its files, and nowhere else.

``spec.json`` (what to run: with it the job is submitted) · ``lock`` (held by the shim for life) · ``run.json`` (who
runs it) · ``log`` (its output) · ``cancel`` (the intent) · ``exit.json`` (how it ended), whose space ``exit.new``
reserves · ``progress.jsonl``, ``result.json``, ``output/`` and ``work/`` belong to the job. Beside the directory, out
of the job's own reach, ``.started-KEY`` says that the program was started, by whom, and how it ended.

The whole directory can be written by its job: whatever is read there may be forged, and is read by :mod:`.shim.files`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from actors.providers.errors import Invalid, Unavailable
from actors.providers.local.removing import remove_tree
from actors.providers.local.shim import RECORD_SIZE, STARTED
from actors.providers.local.shim.files import (
    MOST_RECORD,
    NotPlain,
    is_there,
    open_folder,
    open_own_folder,
    open_plain,
    read_plain,
    write_plain,
)

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
REMOVED = ".removed-"
CLEANING_SECONDS = 5.0
"""How many seconds to spend on the remains of earlier removals, each time all directories are looked through."""


class _File:
    """The path of a file or folder in the job's directory; ``meaning``: what it holds, in words for docs/jobs.md."""

    def __init__(self, name: str, meaning: str) -> None:
        self.name = name
        self.meaning = meaning

    def __get__(self, directory: JobDirectory, _owner: object) -> Path:
        return directory.path / self.name


@attrs.frozen
class JobDirectory:
    """The files of one job."""

    path: Path

    @classmethod
    def of(cls, jobs: Path, key: str) -> JobDirectory:
        """The directory of ``key``. Raises :class:`Invalid` for a key that cannot be a file's name."""
        if not KEY.fullmatch(key):
            raise Invalid(f"the submission key {key!r:.80} cannot name a directory")
        return cls(jobs / key)

    @property
    def key(self) -> str:
        """The submission key."""
        return self.path.name

    output = _File("output", "A directory for what the job wants kept: `GREENROOM_OUTPUT_DIR`.")
    work = _File("work", "The job's working directory, unless its request has a `cwd`.")
    progress = _File("progress.jsonl", "The job's progress: `GREENROOM_PROGRESS_FILE`.")
    result = _File("result.json", "The job's result: `GREENROOM_RESULT_FILE`.")
    parents = _File("parents.json", "The jobs that it waited for: `GREENROOM_PARENTS`.")
    log = _File("log", "The job's output, both streams.")
    log_times = _File("log.times", "How large the log was at which time.")
    spec = _File("spec.json", "What to run. With this file the job is submitted.")
    run = _File("run.json", "Which processes run it: pid, start and boot.")
    exit = _File("exit.json", "How it ended.")
    cancel = _File("cancel", "It is there if an end was requested.")
    lock = _File("lock", "Held by the shim, the process that watches the job, as long as it lives.")

    @property
    def started(self) -> Path:
        """The file whose existence says that the program was started, which happens once only.

        It says by whom, and how it ended.
        """
        return self.path.with_name(f"{STARTED}{self.key}")

    def opened(self) -> AbstractContextManager[int]:
        """Open the directory for the length of the block, and give its descriptor. Raises OSError, also for a link."""
        return closing(open_own_folder(self.path))

    def opened_file(self, path: Path, flags: int = os.O_RDONLY) -> AbstractContextManager[int]:
        """Open one of its plain files for the length of the block, and give its descriptor.

        Raises as :func:`open_plain` does.
        """
        with self.opened() as folder:
            return closing(open_plain(folder, path.name, flags))

    @property
    def is_submitted(self) -> bool:
        """Return whether any file says that the job was submitted: a job may have removed its own spec."""
        paths = (self.spec, self.run, self.exit, self.lock, self.started)
        return any(os.path.lexists(path) for path in paths)

    def place(self, spec: Mapping[str, Any], parents: str | None = None) -> bool:
        """Submit: make the directory and, last, its spec. False: it was submitted before.

        ``parents``: the content of that file; None: there is none.

        What the files hold is on disk then, the names may not be: :meth:`sync_names`. A directory without a spec was
        left by somebody who was killed, and is completed. Raises :class:`Unavailable`, leaving nothing behind, when the
        disk refuses.
        """
        if self.is_submitted:
            return False
        try:
            for folder in (self.path, self.output, self.work):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._reserve_exit_record()
            if parents is not None:
                with self.opened() as at:
                    write_plain(at, self.parents.name, parents.encode(), sync_name=False)
            write_durably(self.spec, spec, sync_name=False)
        except OSError as error:
            if not self.is_submitted:
                self.remove()
            raise Unavailable(f"the job's directory cannot be written: {error}") from error
        return True

    def sync_names(self) -> None:
        """Write the names of the directory and of its spec to the disk, so that they survive a power cut.

        Raises OSError.
        """
        with self.opened() as folder:
            os.fsync(folder)
        with opened_folder(self.path.parent) as jobs:
            os.fsync(jobs)

    def remove(self) -> None:
        """Remove the directory: first its name, in one step for everybody, then its files (see :mod:`.removing`)."""
        grave = self.path.with_name(f"{REMOVED}{self.key}-{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            self.path.rename(grave)
        self.started.unlink(missing_ok=True)
        with opened_folder(self.path.parent) as jobs:
            remove_tree(jobs, grave.name)

    def _reserve_exit_record(self) -> None:
        with suppress(FileExistsError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with closing(os.open(self.path / "exit.new", flags, 0o600)) as fd:
                os.posix_fallocate(fd, 0, RECORD_SIZE)  # at once, where written blocks would have to be synced


def opened_folder(path: Path) -> AbstractContextManager[int]:
    """Open one of Greenroom's own directories, in which no job writes, and give its descriptor. Raises OSError."""
    return closing(open_folder(path))


@contextmanager
def closing(fd: int) -> Iterator[int]:
    """Give a descriptor for the length of the block, and close it at the end."""
    try:
        yield fd
    finally:
        os.close(fd)


def job_directories(jobs: Path) -> Iterator[JobDirectory]:
    """Return all jobs that were submitted, also those that have removed their own directory.

    It also removes what interrupted removals left, for at most :data:`CLEANING_SECONDS`.
    """
    names = sorted(entry.name for entry in os.scandir(jobs))
    graves = [name for name in names if name.startswith(REMOVED)]
    buried = {grave.removeprefix(REMOVED).rpartition("-")[0] for grave in graves}
    keys = set(names)
    left = CLEANING_SECONDS
    with opened_folder(jobs) as folder:
        for key in [name.removeprefix(STARTED) for name in names if name.startswith(STARTED)]:
            if key in buried and not is_there(folder, key):  # removed by us, and not by the job itself
                with suppress(OSError):
                    os.unlink(f"{STARTED}{key}", dir_fd=folder)
            else:
                keys.add(key)
        for grave in graves:
            begun = time.monotonic()
            if left > 0:
                remove_tree(folder, grave, left)
            left -= time.monotonic() - begun
    for name in sorted(keys):
        if KEY.fullmatch(name) and (directory := JobDirectory(jobs / name)).is_submitted:
            yield directory


def read_record(path: Path, most: int = MOST_RECORD) -> dict[str, Any] | None:
    """The JSON object in ``path``; None: no such file.

    Raises ValueError when it is something else, which is its job's doing; OSError where the disk or this process is in
    trouble, which says nothing about the job.
    """
    try:
        with JobDirectory(path.parent).opened() as folder:
            value = json.loads(read_plain(folder, path.name, most))
    except FileNotFoundError:
        return None
    except NotPlain as error:
        raise ValueError(str(error)) from error
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path.name} is not JSON: {error!s:.200}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} does not hold a JSON object")
    return value


def write_durably(path: Path, document: Mapping[str, Any], *, sync_name: bool = True) -> None:
    """Make ``path`` hold ``document``, wholly or not at all, on disk when this returns. Raises OSError.

    Without ``sync_name`` a power cut may take the name, and all of it then.
    """
    # not orjson: it refuses the lone surrogates in which bytes of an environment that are not UTF-8 travel
    data = json.dumps(document).encode()
    with JobDirectory(path.parent).opened() as folder:
        write_plain(folder, path.name, data, sync_name=sync_name)
