"""Whether SQLite's write-ahead log has lost its end: SQLite itself says nothing about that.

It reads the log up to the first frame whose checksum is wrong and takes the rest for a transaction that was never
finished. After a power cut that is what it is; after a flipped byte it is every commit from there on, acknowledged or
not. The two can be told apart without writing anything more: with ``synchronous=FULL`` the frames of a transaction are
written after the one before it was synced, so whatever has a later transaction behind it was acknowledged.

The format is https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path

import attrs

from actors.store.errors import StoreUnavailable
from logconf import get_logger

_HEADER, _FRAME = struct.Struct(">IIIIIIII"), struct.Struct(">IIIIII")
_LITTLE, _BIG = 0x377F0682, 0x377F0683  # magic numbers: the byte order of the words that are summed up
_LAST = 0xFFFFFFFF

_logger = get_logger("actors.store")


@attrs.frozen
class Damage:
    """``offset``: the log can be read up to there. ``acknowledged``: a commit behind it was synced, for sure."""

    offset: int
    acknowledged: bool


def check(database: Path) -> None:
    """Look at what the last process left, before SQLite does: a log that ended in order is not there any more.

    Raises :class:`StoreUnavailable` where acknowledged commits cannot be read, and touches nothing. Where only the
    last transaction is in doubt, a WARNING says so.
    """
    log = database.with_name(f"{database.name}-wal")
    found = examine(log)
    if found is None or examine(log) != found:  # another process writes: this is no rest of a former one
        return
    if found.acknowledged:
        raise StoreUnavailable(
            f"{log} is damaged at byte {found.offset}, and there are committed changes behind it; restore a copy, or, "
            f"to go on without them: truncate --size={found.offset} {log}"
        )
    _logger.warning(
        "The last transaction of the write-ahead log is incomplete and is left out: nobody was told that it was kept, "
        "unless the file was damaged since",
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


class _Log:
    """A log's content: a header, then frames of a page each with a running checksum."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        magic, _version, page_size, _sequence, *rest = _HEADER.unpack_from(content)
        self._salts, self._sums = tuple(rest[:2]), tuple(rest[2:])
        self._swapped = (magic == _LITTLE) != (sys.byteorder == "little")
        self._known = magic in (_LITTLE, _BIG)
        self._size = _FRAME.size + page_size

    def damage(self) -> Damage | None:
        if not self._known or self._sum(self._content[:24], (0, 0)) != self._sums:
            return Damage(0, acknowledged=True)
        offsets = range(_HEADER.size, len(self._content) - self._size + 1, self._size)
        good, sums = _HEADER.size, self._sums
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
        _page, pages_in_all, *rest = _FRAME.unpack_from(self._content, offset)
        return bool(pages_in_all) and tuple(rest[:2]) == self._salts  # other salts: left of a former log

    def _sums_at(self, offset: int) -> tuple[int, ...]:
        return tuple(_FRAME.unpack_from(self._content, offset)[4:])

    def _follows(self, offset: int, sums: tuple[int, ...]) -> bool:
        """Whether the frame there goes on from ``sums``."""
        summed = self._content[offset : offset + 8] + self._content[offset + _FRAME.size : offset + self._size]
        return tuple(_FRAME.unpack_from(self._content, offset)[2:]) == (*self._salts, *self._sum(summed, sums))

    def _sum(self, content: bytes, before: tuple[int, ...]) -> tuple[int, ...]:
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
