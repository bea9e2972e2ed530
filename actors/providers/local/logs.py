"""A job's output, read from a place that stays valid: the cursor is a byte offset, and the file only grows."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator

import trio

from actors.providers.base import LogChunk
from actors.providers.errors import Invalid
from actors.providers.local.directory import JobDirectory

CHUNK = 64 * 1024  # bytes read in one thread hop
_GAP = b"\n[%d bytes of output are not kept: providers.local.log_bytes]\n"


async def read_log(directory: JobDirectory, cursor: str | None) -> AsyncIterator[LogChunk]:
    """Chunks from ``cursor`` to what is there when the reading begins. Raises :class:`Invalid` for a bad cursor."""
    offset = _offset(cursor)
    try:
        fd = await trio.to_thread.run_sync(os.open, directory.log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # nothing was started yet, or the job was forgotten
        return
    try:
        end = os.fstat(fd).st_size
        while offset < end:
            if removed := _hole(fd, offset, end):
                offset += removed
                yield LogChunk(_GAP % removed, str(offset))
                continue
            data = await trio.to_thread.run_sync(os.pread, fd, min(CHUNK, _until_hole(fd, offset, end)), offset)
            if not data:
                return
            offset += len(data)
            yield LogChunk(data, str(offset))
    finally:
        os.close(fd)


def _hole(fd: int, offset: int, end: int) -> int:
    """How many bytes from ``offset`` on were given back to the disk (see the shim's trimming)."""
    try:
        return min(os.lseek(fd, offset, os.SEEK_DATA), end) - offset
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole from here to the end
            return end - offset
        raise


def _until_hole(fd: int, offset: int, end: int) -> int:
    return min(os.lseek(fd, offset, os.SEEK_HOLE), end) - offset


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 19):
        raise Invalid(f"the log cursor {cursor!r:.40} is not one that this provider gave")
    return int(cursor)
