"""Reads what jobs leave: progress, result and output. Nothing of it is trusted, and all reading is limited in size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs

from actors.providers import last_words
from actors.providers.json_reading import json_object
from actors.providers.local.directory import JobDirectory, closing
from actors.providers.local.progress import ProgressPlaces
from actors.providers.local.shim.files import NotPlain, open_folder, read_up_to
from logconf import get_logger

logger = get_logger(__name__)

MAX_RESULT = 1024 * 1024  # bytes of the result (B21)


@attrs.define
class Outputs:
    """Reads what jobs leave. A warning about each fault of a job is given once."""

    _places: ProgressPlaces = attrs.field(factory=ProgressPlaces)
    _warned: set[tuple[str, str]] = attrs.field(factory=set, init=False)

    def reported(self, directory: JobDirectory, job_id: str, *, ended: bool = False) -> dict[str, Any]:
        """Return the fields ``progress`` and ``series`` of an observation. ``ended``: the job writes no more."""
        progress = self.progress(directory, job_id, ended=ended)
        return {"progress": progress, "series": self._places.of(directory.key).snapshot()}

    def progress(self, directory: JobDirectory, job_id: str, *, ended: bool = False) -> dict[str, Any] | None:
        """Return the last line so far that holds a JSON object, or None where there is none."""
        found = self._places.of(directory.key)

        def warn(what: str) -> None:
            self._warn(directory, job_id, what)

        try:
            with directory.opened() as folder:
                return found.read(folder, directory.progress.name, warn, ended=ended)
        except (FileNotFoundError, NotPlain):
            return found.last
        finally:
            self._places.keep(directory.key)

    def result(self, directory: JobDirectory, job_id: str) -> dict[str, Any] | None:
        """Return the JSON object that the job wrote as its result, or None where there is none that can be kept."""
        tail = read_tail(directory, directory.result, MAX_RESULT)
        if tail is None:
            return None
        data, whole = tail
        if not whole:
            self._warn(directory, job_id, "a result larger than 1 MiB was ignored")
            return None
        value = json_object(data)
        if value is None and data.strip():
            self._warn(directory, job_id, "a result that is not a JSON object was ignored")
        return value

    def ended(self, directory: JobDirectory) -> None:
        """Remove the reading place of the progress of a job that has ended."""
        self._places.close(directory.key)

    def forget(self, key: str) -> None:
        """Remove all that is remembered of a job."""
        self._warned = {entry for entry in self._warned if entry[0] != key}
        self._places.close(key)

    def _warn(self, directory: JobDirectory, job_id: str, what: str) -> None:
        if (directory.key, what) not in self._warned:
            self._warned.add((directory.key, what))
            logger.warning("Job %s: %s", job_id, what, extra={"job_id": job_id, "directory": str(directory.path)})


def last_line(directory: JobDirectory) -> str:
    """Return the line of the output that says why the job failed (:mod:`actors.providers.last_words`), or ""."""
    tail = read_tail(directory, directory.log, last_words.LOOKED_AT)
    return last_words.last_words(tail[0]) if tail else ""


def output_url(directory: JobDirectory) -> str | None:
    """Return where the job's output is, if it left any."""
    try:
        name = directory.output.name
        with directory.opened() as at, closing(open_folder(name, at)) as output, os.scandir(output) as entries:
            return directory.output.as_uri() if any(entries) else None
    except OSError:
        return None


def read_tail(directory: JobDirectory, path: Path, size: int) -> tuple[bytes, bool] | None:
    """Return the last ``size`` bytes of a file and whether that is all of it; None: there is no such plain file."""
    try:
        with directory.opened_file(path) as fd:
            start = max(0, os.fstat(fd).st_size - size)
            return read_up_to(fd, size, start), start == 0
    except OSError:
        return None
