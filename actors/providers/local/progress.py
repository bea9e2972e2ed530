"""A job's progress file, read forward: each line once, a bounded piece at a time, and not for ever (B21)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import attrs
from attrs.validators import ge, instance_of, optional

from actors.providers.json_reading import json_object
from actors.providers.local.shim.files import NotPlain, open_plain, read_up_to

MAX_LINE = 16 * 1024
"""Bytes of one progress line."""
PIECE = 1024 * 1024
"""Bytes read at a time."""
MAX_PROGRESS = 64 * 1024 * 1024
"""Bytes read of one job's progress."""

Warn = Callable[[str], None]
"""Called with what was ignored."""


@attrs.frozen
class ProgressPlace:
    """How far one job's progress was read: ``offset`` bytes of the file that it is now, ``spent`` bytes in all.

    ``last``: the last line that could be kept. ``inode`` and ``changed`` (ns): of the file at that time. ``skipping``:
    the place is inside a line that is too long.
    """

    offset: int = attrs.field(default=0, validator=[instance_of(int), ge(0)])
    spent: int = attrs.field(default=0, validator=[instance_of(int), ge(0)])
    last: dict[str, Any] | None = attrs.field(default=None, validator=optional(instance_of(dict)))
    inode: int | None = attrs.field(default=None, validator=optional(instance_of(int)))
    changed: int = attrs.field(default=0, validator=instance_of(int))
    skipping: bool = attrs.field(default=False, validator=instance_of(bool))


@attrs.define
class Progress:
    """One job's progress, read on from ``began``.

    What was read is not read again; a file that was exchanged or written anew is read from its beginning.
    """

    began: ProgressPlace = ProgressPlace()
    offset: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.began.offset, takes_self=True))
    spent: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.began.spent, takes_self=True))
    last: dict[str, Any] | None = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.began.last, takes_self=True)
    )
    _inode: int | None = attrs.field(init=False, default=attrs.Factory(lambda self: self.began.inode, takes_self=True))
    _changed: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.began.changed, takes_self=True))
    _skipping: bool = attrs.field(init=False, default=attrs.Factory(lambda self: self.began.skipping, takes_self=True))
    _one_at_a_time: threading.Lock = attrs.field(factory=threading.Lock)  # two threads may look at one job

    @property
    def place(self) -> ProgressPlace:
        """How far it was read."""
        return ProgressPlace(self.offset, self.spent, self.last, self._inode, self._changed, self._skipping)

    def read(self, folder: int, name: str, warn: Warn) -> dict[str, Any] | None:
        """The last line so far that holds a JSON object, one that is still being written included; None: none."""
        try:
            fd = open_plain(folder, name)
        except (FileNotFoundError, NotPlain):
            return self.last
        try:
            with self._one_at_a_time:
                self._begin(fd)
                found = self._forward(fd, warn)
                self._changed = os.fstat(fd).st_mtime_ns
                return found
        finally:
            os.close(fd)

    def _forward(self, fd: int, warn: Warn) -> dict[str, Any] | None:
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
            self.offset += end
            self.spent += end
            return self._unfinished(data[end:], warn)

    def _pass_on(self, end: int, data: bytes, warn: Warn) -> None:
        """Go on behind the whole lines of a full piece; one without any is a line that is too long."""
        if not end:
            self._too_long(warn)
            self._skipping, end = True, len(data)
        self.offset += end
        self.spent += end

    def _begin(self, fd: int) -> None:
        """Go back to the beginning of a file that is another one, or was written anew."""
        status = os.fstat(fd)
        exchanged = self._inode not in (None, status.st_ino)
        rewritten = status.st_size == self.offset and status.st_mtime_ns != self._changed
        cut = bool(self.offset) and not self._skipping and os.pread(fd, 1, self.offset - 1) != b"\n"
        if exchanged or rewritten or cut or status.st_size < self.offset:
            self.offset, self._skipping = 0, False
        self._inode = status.st_ino

    def _take(self, lines: bytes, warn: Warn) -> None:
        if lines and self._skipping:  # up to the end of the line that was too long
            lines, self._skipping = lines.partition(b"\n")[2], False
        whole = lines.splitlines()
        if any(len(line) > MAX_LINE for line in whole):
            self._too_long(warn)
        for line in reversed(whole):
            if len(line) > MAX_LINE or not line.strip():
                continue
            if (value := json_object(line)) is not None:
                self.last = value
                return
            warn("a progress line that is not a JSON object was ignored")

    def _unfinished(self, line: bytes, warn: Warn) -> dict[str, Any] | None:
        """A line without its end may be kept already; it is not complained of."""
        if self._skipping or not line.strip():
            return self.last
        if len(line) > MAX_LINE:
            self._too_long(warn)
            return self.last
        value = json_object(line)
        return self.last if value is None else value

    def _too_long(self, warn: Warn) -> None:
        warn("a progress line longer than 16 KiB was ignored")
