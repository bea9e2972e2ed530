"""A job's output, read from a place that stays valid: the cursor is a byte offset, and the file only grows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import trio

from actors.providers.base import LogChunk
from actors.providers.errors import Invalid
from actors.providers.local.directory import JobDirectory

CHUNK = 64 * 1024  # bytes read in one thread hop


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
            data = await trio.to_thread.run_sync(os.pread, fd, min(CHUNK, end - offset), offset)
            if not data:
                return
            offset += len(data)
            yield LogChunk(data, str(offset))
    finally:
        os.close(fd)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 19):
        raise Invalid(f"the log cursor {cursor!r:.40} is not one that this provider gave")
    return int(cursor)
