"""A job's progress file, read forward: each line once, a bounded piece at a time, and not for ever (B21).

How far each was read, and the series made of what was read, are kept over our own restarts: one file a job, beside all
job directories. Both are in one file, which is replaced as a whole, so that they belong together whenever we are
killed. It is written after the reading, every 10 s at the most, and not synced: what is lost is read once more.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
from attrs.validators import ge, instance_of, optional

from actors.jobs.series import Snapshot
from actors.jobs.series_book import MOST_NAMES, SeriesBook
from actors.providers.json_reading import json_object
from actors.providers.local.directory import closing
from actors.providers.local.shim.files import NotPlain, open_plain, read_up_to

MAX_LINE = 16 * 1024
"""Bytes of one progress line."""
PIECE = 1024 * 1024
"""Bytes read at a time."""
MAX_PROGRESS = 64 * 1024 * 1024
"""Bytes read of one job's progress."""

KEEP_SECONDS = 10.0
"""Between two writings of how far one job's progress was read, at the least."""

Warn = Callable[[str], None]
"""Called with what was ignored."""


@attrs.define
class Progress:
    """How far one job's progress was read: ``offset`` bytes of the file that it is now, ``spent`` bytes in all.

    ``last``: the last line that could be kept. ``inode`` and ``changed`` (ns): of the file at that time. ``skipping``:
    the place is inside a line that is too long. ``ended``: all of it was read, and nothing more is written. ``book``:
    the series of all lines so far. What was read is not read again; a file that was exchanged or written anew is read
    from its beginning, and its series begin anew unless its first step follows the last one.
    """

    offset: int = attrs.field(default=0, validator=[instance_of(int), ge(0)])
    spent: int = attrs.field(default=0, validator=[instance_of(int), ge(0)])
    last: dict[str, Any] | None = attrs.field(default=None, validator=optional(instance_of(dict)))
    inode: int | None = attrs.field(default=None, validator=optional(instance_of(int)))
    changed: int = attrs.field(default=0, validator=instance_of(int))
    skipping: bool = attrs.field(default=False, validator=instance_of(bool))
    ended: bool = attrs.field(default=False, validator=instance_of(bool))
    book: SeriesBook = attrs.field(factory=SeriesBook, init=False)
    _is_anew: bool = attrs.field(default=False, init=False)
    _one_at_a_time: threading.Lock = attrs.field(factory=threading.Lock, init=False)  # two threads may look at one job

    @property
    def place(self) -> dict[str, Any]:
        """How far it was read."""
        return attrs.asdict(self, recurse=False, filter=lambda field, _value: field.init)

    def stored(self) -> dict[str, Any]:
        """How far it was read and the series, as both are stored."""
        with self._one_at_a_time:
            return {**self.place, "series": self.book.state()}

    @classmethod
    def of_stored(cls, stored: dict[str, Any]) -> Progress:
        """What :meth:`stored` gave. Raises for anything else."""
        series = stored.pop("series")
        found = cls(**stored)
        found.book = SeriesBook.of_state(series)
        return found

    def read(self, folder: int, name: str, warn: Warn, *, ended: bool = False) -> dict[str, Any] | None:
        """The last line so far that holds a JSON object, one that is still being written included; None: none.

        ``ended``: nothing is being written any more, so that a last line without its end is a line.
        """
        try:
            with closing(open_plain(folder, name)) as fd, self._one_at_a_time:
                if self.ended:
                    return self.last
                self._begin(fd)
                found = self._forward(fd, warn, ended=ended)
                self.changed, self.ended = os.fstat(fd).st_mtime_ns, ended
                return found
        except (FileNotFoundError, NotPlain):
            return self.last

    def snapshot(self) -> Snapshot | None:
        """The series of what was read; None: there are none, and there were none in a file before."""
        with self._one_at_a_time:
            found = self.book.snapshot()
            return found if found.series or self.book.earlier else None

    def _forward(self, fd: int, warn: Warn, *, ended: bool) -> dict[str, Any] | None:
        while True:
            most = min(PIECE, MAX_PROGRESS - self.spent)
            if most <= 0:
                warn("progress beyond 64 MiB was ignored")
                return self.last
            data = read_up_to(fd, most, self.offset)
            end = data.rfind(b"\n") + 1
            self._take(data[:end], warn)
            if len(data) == most and (not end or most == PIECE):
                self._pass_on(end, data, warn)
                continue
            if ended and len(data) < most:
                self._take(data[end:], warn)
                end = len(data)
            self.offset += end
            self.spent += end
            return self._unfinished(data[end:], warn)

    def _pass_on(self, end: int, data: bytes, warn: Warn) -> None:
        """Go on behind the whole lines of a full piece; one without any is a line that is too long."""
        if not end:
            self._too_long(warn)
            self.skipping, end = True, len(data)
        self.offset += end
        self.spent += end

    def _begin(self, fd: int) -> None:
        """Go back to the beginning of a file that is another one, or was written anew."""
        status = os.fstat(fd)
        exchanged = self.inode not in (None, status.st_ino)
        rewritten = status.st_size == self.offset and status.st_mtime_ns != self.changed
        cut = bool(self.offset) and not self.skipping and os.pread(fd, 1, self.offset - 1) != b"\n"
        if exchanged or rewritten or cut or status.st_size < self.offset:
            self.offset, self.skipping, self._is_anew = 0, False, True
        self.inode = status.st_ino

    def _take(self, lines: bytes, warn: Warn) -> None:
        if lines and self.skipping:  # up to the end of the line that was too long
            lines, self.skipping = lines.partition(b"\n")[2], False
        newest = None
        for line in lines.splitlines():
            if len(line) > MAX_LINE:
                self._too_long(warn)
            elif line.strip():
                if (value := json_object(line, math.nan)) is None:
                    warn("a progress line that is not a JSON object was ignored")
                    continue
                self._count(value, warn)
                newest = line
        if newest is not None:
            self.last = json_object(newest)

    def _count(self, line: dict[str, Any], warn: Warn) -> None:
        """Take the numbers of a line into the series."""
        if self._is_anew:
            self._is_anew = False
            if not self.book.continues(line):
                self.book = self.book.begun_anew()
        before = self.book.left_out
        self.book.add(line)
        if self.book.left_out and not before:
            warn(f"progress has more than {MOST_NAMES} names of numbers; further ones make no series")

    def _unfinished(self, line: bytes, warn: Warn) -> dict[str, Any] | None:
        """A line without its end may be kept already; it is not complained of."""
        if self.skipping or not line.strip():
            return self.last
        if len(line) > MAX_LINE:
            self._too_long(warn)
            return self.last
        value = json_object(line)
        return self.last if value is None else value

    def _too_long(self, warn: Warn) -> None:
        warn("a progress line longer than 16 KiB was ignored")


@attrs.define
class ProgressPlaces:
    """The places of all jobs in ``folder``; None: they are kept in memory alone."""

    folder: Path | None = None
    _open: dict[str, Progress] = attrs.field(factory=dict)
    _kept: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    _kept_at: dict[str, float] = attrs.field(factory=dict)

    def of(self, key: str) -> Progress:
        """The progress of one job, from where it was read up to before."""
        if (known := self._open.get(key)) is not None:
            return known
        progress = self._stored(key)
        self._kept.setdefault(key, progress.place)
        return self._open.setdefault(key, progress)  # two threads may look at one job

    def keep(self, key: str) -> None:
        """Write down how far it was read, where that has changed and was not written just now.

        A disk that refuses costs a second reading.
        """
        progress = self._open.get(key)
        if self.folder is None or progress is None or progress.place == self._kept.get(key):
            return
        if time.monotonic() - self._kept_at.get(key, -math.inf) < KEEP_SECONDS:
            return
        stored = progress.stored()
        self._kept[key] = {name: stored[name] for name in progress.place}
        self._kept_at[key] = time.monotonic()
        file = self._file(key)
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(stored))
            part.replace(file)

    def close(self, key: str) -> None:
        """Nothing more is read of a job that has ended."""
        self._open.pop(key, None)
        self._kept.pop(key, None)
        self._kept_at.pop(key, None)
        if self.folder is not None:
            with suppress(OSError):
                self._file(key).unlink(missing_ok=True)

    def _stored(self, key: str) -> Progress:
        if self.folder is None:
            return Progress()
        try:
            return Progress.of_stored(json_object(self._file(key).read_bytes()) or {})
        except (OSError, TypeError, ValueError, KeyError, OverflowError, AttributeError):
            # not there, or of another version: it is read from its beginning
            return Progress()

    def _file(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.json"
