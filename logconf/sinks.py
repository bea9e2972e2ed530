"""Where the bytes go: a descriptor (stdout, a pipe), a text stream without one, or a file that may be rotated.

Sinks block, and are used by one thread at a time, the writer's. A sink raises OSError if it cannot write now, and
`SinkClosed` if it never will again.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import stat
import termios
import time
from pathlib import Path
from typing import Protocol, TextIO

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
_WAIT_SECONDS = 60.0
_LONG_LINE_SECONDS = 0.005
_TORN_SECONDS = 0.02
_NEWLINE = 10
_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.EINVAL})


class SinkClosed(Exception):
    """Nothing more can be written here: the reader has gone or the descriptor was closed."""


class Sink(Protocol):
    """What the writer needs of a sink."""

    batch_limit: int
    """Bytes the writer should hand over at once, at most (a single longer line is handed over whole)."""

    def write(self, data: bytes) -> int:
        """Write some of `data`, blocking if necessary, and return how many bytes were written."""

    def writable_soon(self, seconds: float) -> bool:
        """Wait at most so long for room; whether there is some. For writing from a caller's own thread."""
        return True

    def request_reopen(self) -> None:
        """Open a file anew before the next batch (SIGHUP). Callable from a signal handler."""
        return


class DescriptorSink(Sink):
    """An open file descriptor of another owner, such as 1.

    Only whole lines are written into a pipe, and only if they fit, so a process that ends while nobody reads leaves no
    half line.
    """

    batch_limit = 65_536  # a pipe's usual capacity: one batch never needs two rounds of a waiting reader

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        try:
            self._is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        except OSError:
            self._is_pipe = False

    def write(self, data: bytes) -> int:
        try:
            if self._is_pipe:
                data = data[: self._fitting(data)]
            return os.write(self._descriptor, data)
        except BlockingIOError:  # the descriptor is non-blocking, which somebody who shares it has decided
            self.writable_soon(1.0)
            return 0
        except OSError as error:
            if error.errno in _GONE:
                raise SinkClosed(str(error)) from error
            raise

    def _fitting(self, data: bytes) -> int:
        """How much of `data` to write now, in whole lines; waits for room where there is none."""
        while True:
            room, capacity = self._room()
            if len(data) <= room or data.find(b"\n") >= capacity:
                return len(data)
            if whole := data.rfind(b"\n", 0, room) + 1:
                return whole
            state = self._poll(_WAIT_SECONDS)
            if state & select.POLLERR:
                return len(data)  # nobody will ever read: the write says so
            if not state & select.POLLOUT:
                continue
            if whole := data.rfind(b"\n", 0, select.PIPE_BUF) + 1:
                return whole  # POLLOUT promises one free page, and so much goes in at once or not at all
            time.sleep(_LONG_LINE_SECONDS)  # a line longer than a page: poll() cannot wait for more than one

    def _room(self) -> tuple[int, int]:
        """Bytes that surely fit, and the pipe's capacity. Of pages that were filled by lines each may be half empty."""
        capacity = fcntl.fcntl(self._descriptor, fcntl.F_GETPIPE_SZ)
        unread = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, unread)
        pages = 2 * -(-unread[0] // select.PIPE_BUF)
        return max(0, capacity - pages * select.PIPE_BUF), capacity

    def _poll(self, seconds: float) -> int:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return sum(state for _, state in poll.poll(max(0.0, seconds) * 1000))

    def writable_soon(self, seconds: float) -> bool:
        return self._poll(seconds) != 0


class StreamSink(Sink):
    """A text stream without a descriptor: a notebook's or a test's stdout."""

    batch_limit = 65_536

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        try:
            self._stream.write(data.decode("utf-8"))
            self._stream.flush()
        except OSError:
            raise
        except Exception as error:
            raise SinkClosed(str(error)) from error
        return len(data)


class FileSink(Sink):
    """A log file, opened for appending and created with mode 0640 or tighter, with its directory.

    Before each batch it is reopened if that was requested (SIGHUP), or if its path no longer leads to it (logrotate,
    `mv`, `rm`). With `max_bytes` it is rotated by size to `NAME.1` ... `NAME.backup_count`, between lines; it must then
    be the file's only writer. If a crash left an incomplete last line, a new line is begun.

    Raises OSError if it cannot be opened. What is not a regular file (a FIFO, `/dev/stderr`) is not rotated.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = 0, backup_count: int = 5) -> None:
        self._path = Path(path).absolute()  # a later chdir must not move the log
        self._max_bytes = max_bytes
        self._backup_count = backup_count
        self._reopen = False
        self._is_between_lines = True  # else the rest of a line is still to be written, into the same file
        self.batch_limit = min(262_144, max_bytes) if max_bytes else 262_144
        self._path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        self._descriptor, self._regular, self._size = self._open()

    def _open(self) -> tuple[int, bool, int]:
        # O_NONBLOCK: a FIFO nobody reads refuses instead of hanging the start; regular files do not know it
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(self._path, flags, FILE_MODE)
        try:
            state = os.fstat(descriptor)
            regular = stat.S_ISREG(state.st_mode)
            size = state.st_size
            if regular and size and _ends_torn(self._path):
                time.sleep(_TORN_SECONDS)  # another writer may be in the middle of its line
                if _ends_torn(self._path):
                    size += os.write(descriptor, b"\n")
        except OSError:
            os.close(descriptor)
            raise
        return descriptor, regular, size

    def write(self, data: bytes) -> int:
        if not self._regular:
            return DescriptorSink(self._descriptor).write(data)
        if self._is_between_lines:
            self._follow_path(len(data))
        written = os.write(self._descriptor, data)
        self._size += written
        if written:
            self._is_between_lines = data[written - 1] == _NEWLINE
        return written

    def _follow_path(self, coming: int) -> None:
        if self._reopen or self._moved_away():
            self._reopen = False
            self._replace()
        elif self._max_bytes and self._size and self._size + coming > self._max_bytes:
            with contextlib.suppress(OSError):  # then the file grows on: better than losing lines
                self._rotate()

    def _moved_away(self) -> bool:
        try:
            there, here = self._path.stat(), os.fstat(self._descriptor)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)

    def _replace(self) -> None:
        """Open the path anew; if that fails, continue with the old descriptor."""
        try:
            self._path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            fresh = self._open()
        except OSError:
            return
        os.close(self._descriptor)
        self._descriptor, self._regular, self._size = fresh

    def _rotate(self) -> None:
        if self._backup_count < 1:
            os.ftruncate(self._descriptor, 0)
            self._size = 0
            return
        backups = [self._path.with_name(f"{self._path.name}.{number + 1}") for number in range(self._backup_count)]
        # Only up to the first free name: where the last step fails, the next attempt must not move them once more.
        free = next((number for number, one in enumerate(backups) if not one.exists()), len(backups) - 1)
        for number in range(free, 0, -1):
            backups[number - 1].replace(backups[number])
        self._path.replace(backups[0])
        self._replace()

    def writable_soon(self, seconds: float) -> bool:
        return self._regular or DescriptorSink(self._descriptor).writable_soon(seconds)

    def request_reopen(self) -> None:
        self._reopen = True

    def __del__(self) -> None:
        """Close the descriptor with its last user, so that late lines of a replaced handler are still written."""
        descriptor = getattr(self, "_descriptor", None)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _ends_torn(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
    return False
