"""A bound on what a job's output takes on the disk: its middle is given back, its beginning and its end stay.

The file keeps its length and every byte its place, so that a reader's cursor (a byte offset) stays valid and a writer
that appends notices nothing; the removed part is a hole. RLIMIT_FSIZE would be no cap of the log: it would end a
training job at its first large checkpoint.
"""

from __future__ import annotations

import ctypes
import os

LOOK_AT_LOG = 2.0  # seconds between two looks at the size while a job runs
KEPT_HEAD = 4  # the first quarter of the allowance is the beginning of the output
_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of fallocate(2)


def trim(fd: int, most: int) -> int:
    """Make ``fd`` take about ``most`` bytes at most on its disk. Returns how far its hole reaches, 0 without one.

    A file system that cannot punch holes keeps the whole output: a cap is no reason to lose a job.
    """
    status = os.fstat(fd)
    if status.st_blocks * 512 <= most:
        return 0
    block = max(status.st_blksize, 4096)
    begin = most // KEPT_HEAD // block * block
    end = (status.st_size - (most - begin)) // block * block
    if end <= begin:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.fallocate(fd, _HOLE, ctypes.c_int64(begin), ctypes.c_int64(end - begin))
    return 0 if failed else end
