"""Detects whether SQLite's write-ahead log has lost its end, which SQLite itself does not report.

SQLite reads the log up to the first frame whose checksum is wrong and takes the rest for a transaction that was never
finished. After a power failure that is true; after a flipped byte the rest is every later commit, acknowledged or not.
The two cases can be distinguished without writing anything more: with ``synchronous=FULL`` the frames of a transaction
are written after the one before it was synced, so a transaction with a later one behind it was acknowledged.

The format is https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import attrs

from actors.store.errors import StoreUnavailable
from logconf import get_logger

_HEADER, _FRAME = struct.Struct(">IIIIIIII"), struct.Struct(">IIIIII")
_LITTLE, _BIG = 0x377F0682, 0x377F0683  # magic numbers: the byte order of the words that are summed up
_LAST = 0xFFFFFFFF

# The index beside the log (``-shm``), in this machine's byte order: its version, and the last frame that is committed
# (https://www.sqlite.org/walformat.html#the_wal_index_header).
_INDEX, _INDEX_VERSION = struct.Struct("=I12xI"), 3007000

_logger = get_logger("actors.store")


@attrs.frozen
class Damage:
    """``offset``: the log can be read up to there. ``acknowledged``: a commit behind it was synced, for sure."""

    offset: int
    acknowledged: bool


@contextmanager
def checked(database: Path) -> Iterator[None]:
    """Look at what the last process left: a log that ended in order is not there any more.

    SQLite reads the log once, here, and keeps what it found for a connection that is opened inside the block. Only
    where it stopped before the log's last commit is the log read again, slowly, to tell the two cases apart.

    Raises :class:`StoreUnavailable` where acknowledged commits cannot be read, and changes neither database nor log.
    Where only the last transaction is in doubt, a WARNING says so.
    """
    log = log_of(database)
    if has_frames(log):
        with _read_by_sqlite(database) as frames:
            if frames is None or _more_than(log, frames):
                _report(log)
            yield
    else:
        yield


def log_of(database: Path) -> Path:
    """The write-ahead log beside a database."""
    return database.with_name(f"{database.name}-wal")


def has_frames(log: Path) -> bool:
    """Whether there is anything in the log. Raises :class:`StoreUnavailable`."""
    try:
        return log.stat().st_size > _HEADER.size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreUnavailable(f"cannot read {log}: {error.strerror}") from error


@contextmanager
def _read_by_sqlite(database: Path) -> Iterator[int | None]:
    """How many frames SQLite takes for committed; None where it cannot be asked.

    Its connection reads only: closed as the last one, it leaves the log as it is.
    """
    with ExitStack() as stack:
        frames = None
        with suppress(sqlite3.Error, OSError):
            connection = sqlite3.connect(f"file:{quote(os.fsencode(database))}?mode=ro", uri=True, isolation_level=None)
            stack.enter_context(closing(connection))
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # here it reads the log
            version, last = _INDEX.unpack(os.pread(_opened_for_good(index_of(database)), _INDEX.size, 0))
            connection.execute("ROLLBACK")
            frames = last if version == _INDEX_VERSION else None
        yield frames


def index_of(database: Path) -> Path:
    """The index of the write-ahead log, which all processes that have the database open share."""
    return database.with_name(f"{database.name}-shm")


_indexes: dict[tuple[int, int], int] = {}


def _opened_for_good(index: Path) -> int:
    """A descriptor that is never closed.

    Closing any descriptor of a file gives up all POSIX locks that this process has on it, those of SQLite too. The next
    process that opens the database would then take it for abandoned and cut the index, which kills this one (SIGBUS).
    """
    found = index.stat()
    key = (found.st_dev, found.st_ino)
    if key not in _indexes:
        _indexes[key] = os.open(index, os.O_RDONLY | os.O_CLOEXEC)
    return _indexes[key]


def _more_than(log: Path, frames: int) -> bool:
    """Whether the log's header is wrong, or a commit of this log stands behind its first ``frames``."""
    try:
        with log.open("rb") as file:
            header = _LogHeader(file.read(_HEADER.size))
            if not header.right:
                return True
            place = _HEADER.size + frames * header.frame_size
            while len(frame := os.pread(file.fileno(), _FRAME.size, place)) == _FRAME.size:
                if header.is_commit(frame):
                    return True
                place += header.frame_size
            return False
    except OSError as error:
        raise StoreUnavailable(f"cannot read {log}: {error.strerror}") from error


def _report(log: Path) -> None:
    """Say what is wrong with the log, if it is: refuse, or warn."""
    found = examine(log)
    if found is None or examine(log) != found:  # another process writes: this is no rest of a former one
        return
    if found.acknowledged:
        raise StoreUnavailable(
            f"{log} is damaged at byte {found.offset}, and there are committed changes behind it; restore a copy, or, "
            f"to go on without them: truncate --size={found.offset} {log}"
        )
    _logger.warning(
        "The last transaction of the write-ahead log is incomplete and is left out. No client got the answer that it "
        "was stored, unless the file was damaged afterwards",
        extra={"file": str(log), "offset": found.offset},
    )


def examine(log: Path) -> Damage | None:
    """Where the log breaks off before its last commit. None: it does not, or there is none. Raises StoreUnavailable."""
    try:
        content = log.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"cannot read {log}: {error.strerror}") from error
    return _Log(content).damage() if len(content) > _HEADER.size else None


class _LogHeader:
    """What a log begins with. ``right``: it is a log's, and undamaged."""

    def __init__(self, content: bytes) -> None:
        magic, _version, page_size, _sequence, *rest = _HEADER.unpack_from(content.ljust(_HEADER.size, b"\0"))
        self.salts, self.sums = tuple(rest[:2]), tuple(rest[2:])
        self._swapped = (magic == _LITTLE) != (sys.byteorder == "little")
        self.right = magic in (_LITTLE, _BIG) and self.sum(content[:24], (0, 0)) == self.sums
        self.frame_size = _FRAME.size + page_size

    def is_commit(self, frame: bytes) -> bool:
        """Whether this frame ends a transaction of this log; other salts: it is left of a former log."""
        _page, pages_in_all, *rest = _FRAME.unpack_from(frame)
        return bool(pages_in_all) and tuple(rest[:2]) == self.salts

    def sum(self, content: bytes, before: tuple[int, ...]) -> tuple[int, ...]:
        """SQLite's checksum of pairs of 32-bit words, going on from ``before``."""
        words = array("I", content)
        if self._swapped:
            words.byteswap()
        first, second = before
        pairs = iter(words)
        for one, other in zip(pairs, pairs, strict=True):
            first = (first + one + second) & _LAST
            second = (second + other + first) & _LAST
        return first, second


class _Log:
    """A log's content: a header, then frames of a page each with a running checksum."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._header = _LogHeader(content[: _HEADER.size])
        self._size = self._header.frame_size

    def damage(self) -> Damage | None:
        if not self._header.right:
            return Damage(0, acknowledged=True)
        offsets = range(_HEADER.size, len(self._content) - self._size + 1, self._size)
        good, sums = _HEADER.size, self._header.sums
        while good in offsets and self._follows(good, sums):
            sums = self._sums_at(good)
            good += self._size
        commits = [offset for offset in offsets if offset >= good and self._is_commit(offset)]
        if not commits:
            return None
        # A later frame that was written as a commit's successor shows that the commit was synced. A mere neighbour
        # does not: it may be left of a longer transaction that failed.
        ends = (offset + self._size for offset in commits)
        synced = any(end in offsets and self._follows(end, self._sums_at(end - self._size)) for end in ends)
        return Damage(good, synced)

    def _is_commit(self, offset: int) -> bool:
        return self._header.is_commit(self._content[offset : offset + _FRAME.size])

    def _sums_at(self, offset: int) -> tuple[int, ...]:
        return tuple(_FRAME.unpack_from(self._content, offset)[4:])

    def _follows(self, offset: int, sums: tuple[int, ...]) -> bool:
        """Whether the frame there goes on from ``sums``."""
        summed = self._content[offset : offset + 8] + self._content[offset + _FRAME.size : offset + self._size]
        expected = (*self._header.salts, *self._header.sum(summed, sums))
        return tuple(_FRAME.unpack_from(self._content, offset)[2:]) == expected
