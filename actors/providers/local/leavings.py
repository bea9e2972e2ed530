"""What a job leaves for us to read: progress, result, output. All of it is untrusted and read within bounds."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import attrs
import orjson

from actors.providers.local.directory import JobDirectory
from actors.providers.local.words import REASON_LENGTH
from logconf import get_logger

logger = get_logger(__name__)

MAX_LINE = 16 * 1024  # bytes of one progress line (B21)
MAX_RESULT = 1024 * 1024  # bytes of the result (B21)
TAIL = 4 * MAX_LINE  # bytes looked at from the end of the progress file


@attrs.define
class Leavings:
    """Reads what jobs leave; each fault of a job is warned of once."""

    _warned: set[tuple[str, str]] = attrs.field(factory=set)

    def progress(self, directory: JobDirectory, job_id: str) -> dict[str, Any] | None:
        """The last line that holds a JSON object; None: there is none."""
        tail = read_tail(directory.progress, TAIL)
        if tail is None:
            return None
        data, whole = tail
        *lines, unfinished = data.split(b"\n")
        lines = lines if whole or not lines else lines[1:]  # the first may have lost its beginning
        for line in reversed([*lines, unfinished]):
            if not line.strip():
                continue
            if len(line) > MAX_LINE:
                self._warn(directory, job_id, "a progress line longer than 16 KiB was ignored")
                continue
            if (value := _json_object(line)) is not None:
                return value
            if line is not unfinished:
                self._warn(directory, job_id, "a progress line that is not a JSON object was ignored")
        if not whole and not lines and len(unfinished) > MAX_LINE:
            self._warn(directory, job_id, "a progress line longer than 16 KiB was ignored")
        return None

    def result(self, directory: JobDirectory, job_id: str) -> dict[str, Any] | None:
        """The JSON object that the job wrote as its result; None: there is none that can be kept."""
        tail = read_tail(directory.result, MAX_RESULT)
        if tail is None:
            return None
        data, whole = tail
        if not whole:
            self._warn(directory, job_id, "a result larger than 1 MiB was ignored")
            return None
        value = _json_object(data)
        if value is None and data.strip():
            self._warn(directory, job_id, "a result that is not a JSON object was ignored")
        return value

    def forget(self, key: str) -> None:
        """Drop what is remembered of a job."""
        self._warned = {entry for entry in self._warned if entry[0] != key}

    def _warn(self, directory: JobDirectory, job_id: str, what: str) -> None:
        if (directory.key, what) not in self._warned:
            self._warned.add((directory.key, what))
            logger.warning("Job %s: %s", job_id, what, extra={"job_id": job_id, "directory": str(directory.path)})


def last_line(directory: JobDirectory) -> str:
    """The last line of the job's output that says something, made printable and cut; "" when there is none.

    Of a line of structured JSON it is what the line says: its ``message``, as of :mod:`logconf`, or ``event``, as of
    structlog.
    """
    tail = read_tail(directory.log, MAX_LINE)
    lines = tail[0].split(b"\n") if tail else []
    for line in reversed(lines):
        text = "".join(mark if mark.isprintable() else " " for mark in _said(line)).strip()
        if text:
            return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 1] + "…"
    return ""


def _said(line: bytes) -> str:
    value = (line.lstrip().startswith(b"{") and _json_object(line)) or {}
    told = value.get("message", value.get("event"))
    return told if isinstance(told, str) else line.decode(errors="replace")


def output_url(directory: JobDirectory) -> str | None:
    """Where the job's output lies, if it left any."""
    try:
        with os.scandir(directory.output) as entries:
            return directory.output.as_uri() if any(entries) else None
    except OSError:
        return None


def read_tail(path: Path, size: int) -> tuple[bytes, bool] | None:
    """The last ``size`` bytes of a regular file, and whether that is all of it; None: there is no such file.

    The job may have put anything there: a link is not followed, a pipe is not waited for.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        start = max(0, status.st_size - size)
        return os.pread(fd, size, start), start == 0
    except OSError:
        return None
    finally:
        os.close(fd)


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
