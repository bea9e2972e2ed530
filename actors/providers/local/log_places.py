"""Finds where in a job's output its last lines begin, and where the output begins that arrived after some time.

The file ``log.times`` beside the output says when it arrived: the drainer writes a line with time and size there before
it writes to the log, about once a second, less often for long jobs (:class:`.shim.log_pipe.ArrivalTimes`). The job can
write this file too: lines that make no sense are ignored, and the answer is an earlier place then.
"""

from __future__ import annotations

import errno
import math
import os
from contextlib import suppress
from datetime import datetime

from actors.providers.local.directory import JobDirectory
from actors.providers.local.shim.files import NotPlain, read_plain

_STEP = 64 * 1024
_MOST_TIMES = 16 << 20
_MOST_LINE = 4096
"""How many bytes a place is moved back, at most, to reach the beginning of its line."""


def log_place(directory: JobDirectory, lines: int | None, since: datetime | None) -> int | None:
    """Return the offset of the last ``lines`` lines, or of what came after ``since``; of both, the later one.

    Returns None where it is not known for this job when output arrived. Raises OSError, and :class:`NotPlain`.
    """
    try:
        with directory.opened_file(directory.log) as fd:
            places = []
            if lines is not None:
                places.append(_last_lines(fd, lines))
            if since is not None:
                if (place := _since(directory, fd, since.timestamp())) is None:
                    return None
                places.append(place)
            return max(places, default=0)
    except FileNotFoundError:  # nothing was started yet
        return 0


def _last_lines(fd: int, lines: int) -> int:
    """Return where the last ``lines`` lines begin, but no place before a part that was deleted from the disk."""
    end = os.fstat(fd).st_size
    if lines == 0 or end == 0:
        return end
    more = lines + (os.pread(fd, 1, end - 1) == b"\n")  # the end of the last line is none between two
    while end > 0:
        begin = max(0, end - _STEP)
        kept = _kept_from(fd, begin, end)
        piece = os.pread(fd, end - kept, kept)
        if (found := piece.count(b"\n")) >= more:
            for _ in range(more):
                end = piece.rindex(b"\n", 0, end - kept) + kept
            return end + 1
        if kept > begin:
            return kept
        more -= found
        end = begin
    return 0


def _since(directory: JobDirectory, fd: int, since: float) -> int | None:
    """Return the last known place, at the beginning of a line, before which everything arrived before ``since``."""
    found = os.fstat(fd)
    if found.st_mtime < since:
        return found.st_size
    times = _times(directory)
    if times is None:
        return None
    place = 0
    for arrived, offset in times:
        if arrived > since:
            break
        place = offset
    return _line_begin(fd, min(place, found.st_size))


def _times(directory: JobDirectory) -> list[tuple[float, int]] | None:
    """Return when the log had which size, in order, or None where this was not recorded."""
    try:
        with directory.opened() as folder:
            content = read_plain(folder, directory.log_times.name, _MOST_TIMES)
    except (FileNotFoundError, NotPlain):
        return None
    found: list[tuple[float, int]] = []
    last = (-math.inf, 0)
    for line in content.splitlines():
        with suppress(ValueError):
            arrived, offset = line.split()
            this = (float(arrived), int(offset))
            if last[0] <= this[0] < math.inf and this[1] >= last[1]:
                found.append(this)
                last = this
    return found


def _line_begin(fd: int, place: int) -> int:
    begin = max(0, place - _MOST_LINE)
    cut = os.pread(fd, place - begin, begin).rfind(b"\n")
    return begin + cut + 1 if cut >= 0 else 0 if begin == 0 else place


def _kept_from(fd: int, begin: int, end: int) -> int:
    """Return where the data begins that has no gap before ``end``, but no place before ``begin``."""
    at = begin
    while at < end:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return end
            raise
        hole = os.lseek(fd, data, os.SEEK_HOLE)
        if hole >= end:
            return max(begin, min(data, end))
        at = hole
    return end
