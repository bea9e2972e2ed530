"""A job's output: cursors that are byte offsets, and notices of ours in the middle of it for its reader."""

from __future__ import annotations

from collections.abc import Iterator

from actors.providers.base import LogChunk
from actors.providers.errors import Invalid

CHUNK = 64 * 1024
"""The most bytes of one chunk."""


class LogNotice(bytes):
    """A line of ours among a job's output; a reader can distinguish it from the output by its class."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The text of the notice, without the brackets and line ends around it."""
        return self.decode(errors="replace").strip().strip("[]")


def notice(text: str) -> LogNotice:
    """``text`` as a line of its own."""
    return LogNotice(f"\n[{text}]\n".encode())


def offset_of(cursor: str | None) -> int:
    """The byte of the output that ``cursor`` names. Raises :class:`Invalid` for one that was never given."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 19):
        raise Invalid(f"the log cursor {cursor!r:.40} is not one that this provider gave")
    return int(cursor)


def chunks(data: bytes, offset: int) -> Iterator[LogChunk]:
    """The chunks of ``data``, an output from its beginning, after ``offset``."""
    while offset < len(data):
        piece = data[offset : offset + CHUNK]
        offset += len(piece)
        yield LogChunk(piece, str(offset))


def rest_of(data: bytes, offset: int, most: int | None = None) -> Iterator[LogChunk]:
    """The chunks of ``data``, an output from its beginning, after ``offset``; first a notice if it became shorter.

    ``most``: only this many bytes of ``data`` count.
    """
    if (note := shortened(offset, len(data))) is not None:
        yield note
    yield from chunks(data[:most], offset)


def shortened(offset: int, size: int) -> LogChunk | None:
    """A notice for a reader who had read ``offset`` bytes of an output that has ``size`` bytes now, where reading
    continues.

    None if nothing is missing.
    """
    if size >= offset:
        return None
    text = f"the output became shorter: it had at least {offset} bytes and has {size} now; what follows is new"
    return LogChunk(notice(text), str(size))
