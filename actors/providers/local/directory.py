"""One directory for each submission key: what is known of a job stands in its files, and nowhere else.

``spec.json`` (what to run: with it the job is submitted) · ``lock`` (held by the shim for life) · ``run.json`` (who
runs it) · ``log`` (its output) · ``cancel`` (the intent) · ``exit.json`` (how it ended), whose space ``exit.new``
reserves · ``progress.jsonl``, ``result.json``, ``output/`` and ``work/`` belong to the job.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.providers.errors import Invalid, Unavailable
from actors.providers.local.shim import RECORD_SIZE

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
REMOVED = ".removed-"


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

    @property
    def spec(self) -> Path:
        """What to run."""
        return self.path / "spec.json"

    @property
    def lock(self) -> Path:
        """Held by the shim for its life."""
        return self.path / "lock"

    @property
    def run(self) -> Path:
        """Who runs it: shim and program, by pid, start and boot."""
        return self.path / "run.json"

    @property
    def exit(self) -> Path:
        """How it ended."""
        return self.path / "exit.json"

    @property
    def cancel(self) -> Path:
        """There: an end was asked for."""
        return self.path / "cancel"

    @property
    def log(self) -> Path:
        """The job's output."""
        return self.path / "log"

    @property
    def progress(self) -> Path:
        """JSON lines from the job; untrusted."""
        return self.path / "progress.jsonl"

    @property
    def result(self) -> Path:
        """One JSON object from the job; untrusted."""
        return self.path / "result.json"

    @property
    def output(self) -> Path:
        """What the job wants kept."""
        return self.path / "output"

    @property
    def work(self) -> Path:
        """The job's working directory, unless it asked for another."""
        return self.path / "work"

    def place(self, spec: Mapping[str, Any]) -> bool:
        """Submit: make the directory and, last, its spec. False: it was submitted before.

        A directory without a spec was left by somebody who was killed, and is completed. Raises :class:`Unavailable`,
        leaving nothing behind, when the disk refuses.
        """
        if self.spec.exists():
            return False
        try:
            for folder in (self.path, self.output, self.work):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._reserve_exit_record()
            write_durably(self.spec, spec)
            sync_folder(self.path.parent)
        except OSError as error:
            if not self.spec.exists():
                shutil.rmtree(self.path, ignore_errors=True)
            raise Unavailable(f"the job's directory cannot be written: {error}") from error
        return True

    def remove(self) -> None:
        """Remove the directory: gone for everybody at once, its files thereafter."""
        grave = self.path.with_name(f"{REMOVED}{self.key}-{secrets.token_hex(4)}")
        try:
            self.path.rename(grave)
        except FileNotFoundError:
            return
        shutil.rmtree(grave, ignore_errors=True)

    def _reserve_exit_record(self) -> None:
        try:
            fd = os.open(self.path / "exit.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        try:
            os.write(fd, b" " * RECORD_SIZE)  # written, not only allocated: the record then needs no new block
            os.fsync(fd)
        finally:
            os.close(fd)


def job_directories(jobs: Path) -> Iterator[JobDirectory]:
    """All directories that hold a submitted job; what an interrupted removal left is removed on the way."""
    for entry in sorted(os.scandir(jobs), key=lambda entry: entry.name):
        if entry.name.startswith(REMOVED):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif KEY.fullmatch(entry.name) and Path(entry.path, "spec.json").exists():
            yield JobDirectory(Path(entry.path))


def read_record(path: Path) -> dict[str, Any] | None:
    """The JSON object in ``path``; None: no such file. Raises ValueError when it is something else."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return value


def write_durably(path: Path, document: Mapping[str, Any]) -> None:
    """Make ``path`` hold ``document``, wholly or not at all, on disk when this returns. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            # not orjson: it refuses the lone surrogates in which bytes of an environment that are not UTF-8 travel
            file.write(json.dumps(document).encode())
            file.flush()
            os.fsync(fd)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in ``path`` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
