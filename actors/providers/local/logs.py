"""Reads the output of a job from a cursor. The cursor stays valid: it is a byte offset, and the file only grows.

The job runs as the same user and can make the file shorter. The reader says so then, and goes on from the new end.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from actors.providers.base import LogChunk
from actors.providers.disk_threads import DiskThreads
from actors.providers.errors import ProviderError, explained_as
from actors.providers.local.directory import JobDirectory
from actors.providers.local.shim.files import NotPlain
from actors.providers.log_notices import notice, offset_of, shortened

CHUNK = 64 * 1024  # bytes read in one thread hop


async def read_log(directory: JobDirectory, cursor: str | None, threads: DiskThreads) -> AsyncIterator[LogChunk]:
    """Give the output in chunks, from ``cursor`` to the end that the file has when the reading begins.

    Raises :class:`Invalid` for a bad cursor, and :class:`ProviderError` for a log that is not a plain file any more.
    """
    offset = offset_of(cursor)
    end = await threads.run(_size, directory)
    if (note := shortened(offset, end)) is not None:
        yield note
    while offset < end:
        chunk = await threads.run(_piece, directory, offset, end)
        if chunk is None:
            return
        offset = int(chunk.cursor)
        yield chunk


def _size(directory: JobDirectory) -> int:
    try:
        with _opened(directory) as fd:
            return os.fstat(fd).st_size
    except FileNotFoundError:  # nothing was started yet, or the job was forgotten
        return 0


def _piece(directory: JobDirectory, offset: int, end: int) -> LogChunk | None:
    """Return the data at ``offset``, or None where the file now ends before it."""
    with _opened(directory) as fd:
        if removed := _hole(fd, offset, end):
            text = f"{removed} bytes of output are not kept: providers.local.log_bytes"
            return LogChunk(notice(text), str(offset + removed))
        data = os.pread(fd, min(CHUNK, _until_hole(fd, offset, end)), offset)
        return LogChunk(data, str(offset + len(data))) if data else None


@contextmanager
def _opened(directory: JobDirectory) -> Iterator[int]:
    what = f"the output of job {directory.key} cannot be read"
    with explained_as(ProviderError, what, NotPlain), directory.opened_file(directory.log) as fd:
        yield fd


def _hole(fd: int, offset: int, end: int) -> int:
    """Return how many bytes from ``offset`` on were deleted from the disk (see ``trim`` of the shim)."""
    try:
        return min(os.lseek(fd, offset, os.SEEK_DATA), end) - offset
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole from here to the end
            return end - offset
        raise


def _until_hole(fd: int, offset: int, end: int) -> int:
    return min(os.lseek(fd, offset, os.SEEK_HOLE), end) - offset
