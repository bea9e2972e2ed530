"""Finding the lines of one piece of work in many files, also rotated and gzipped ones, of any size, in bounded memory.

A file and its rotated siblings are one stream, oldest first; streams are merged by timestamp, because each is in order.
A line is parsed only if the ID occurs in its bytes.
"""

from __future__ import annotations

import gzip
import heapq
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson

LONGEST_LINE = 1024 * 1024
"""Bytes, 16 times as many as logconf writes. A longer line counts as broken: it is skipped and never held in memory."""

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_ROTATED = re.compile(r"[.\-](?P<stamp>\d+)(?:\.gz)?")


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One line of the trace."""

    timestamp: str
    fields: dict[str, Any]
    raw: bytes
    """As it stands in the file, without the newline."""


@dataclass(slots=True)
class Search:
    """What is searched for, and what was found broken or unreadable on the way."""

    correlation_id: str | None = None
    job_id: str | None = None
    least_level: int = 0
    since: str = ""
    """A timestamp as lines have it: such texts compare as the times do."""
    broken: int = field(default=0, init=False)
    """Lines that are no JSON object, or too long."""
    unreadable: list[str] = field(default_factory=list, init=False)
    _needle: bytes = field(init=False)

    def __post_init__(self) -> None:
        sought = self.job_id if self.correlation_id is None else self.correlation_id
        self._needle = orjson.dumps(sought or "")[1:-1]

    def match(self, line: bytes) -> TraceLine | None:
        """The parsed line, if it belongs to the trace."""
        stripped = line.strip()
        if not stripped:
            return None
        if not (stripped.startswith(b"{") and stripped.endswith(b"}")):
            self.broken += 1
            return None
        if self._needle not in stripped:
            return None
        try:
            fields = orjson.loads(stripped)
        except orjson.JSONDecodeError:
            self.broken += 1
            return None
        return TraceLine(str(fields.get("timestamp", "")), fields, stripped) if self._belongs(fields) else None

    def _belongs(self, fields: dict[str, Any]) -> bool:
        extra = fields.get("extra")
        job_id = extra.get("job_id") if isinstance(extra, dict) else None
        return (
            (self.correlation_id is None or fields.get("correlation_id") == self.correlation_id)
            and (self.job_id is None or str(job_id) == self.job_id)
            and LEVELS.get(str(fields.get("level")), 0) >= self.least_level
            and str(fields.get("timestamp", "")) >= self.since
        )


def search_files(search: Search, names: Iterable[str]) -> Iterator[TraceLine]:
    """The trace in order of time. `-` is standard input. A file that cannot be read is noted in `search.unreadable`."""
    streams: list[Iterator[TraceLine]] = []
    seen: set[tuple[int, int]] = set()
    for name in names:
        if name == "-":
            streams.append(_matches(search, bounded_lines(sys.stdin.buffer, search)))
            continue
        chain = [path for path in with_rotated(Path(name)) if _first_time(path, seen)]
        streams.append(_chained(search, chain))
    return heapq.merge(*streams, key=lambda found: found.timestamp)


def with_rotated(path: Path) -> list[Path]:
    """The file and its rotated siblings (`NAME.1`, `NAME.2.gz`, `NAME-20240115.gz`), oldest first."""
    numbered: list[tuple[int, Path]] = []
    dated: list[tuple[int, Path]] = []
    try:
        siblings = sorted(path.parent.iterdir())
    except OSError:
        siblings = []
    for sibling in siblings:
        match = _ROTATED.fullmatch(sibling.name.removeprefix(path.name)) if sibling.name.startswith(path.name) else None
        if match is not None:
            (dated if len(match["stamp"]) >= 8 else numbered).append((int(match["stamp"]), sibling))
    older = [item for _, item in sorted(dated)] + [item for _, item in sorted(numbered, reverse=True)]
    return [*older, path]


def _first_time(path: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether this file was not named before, by whatever name (a glob names the rotated files too)."""
    place = _place(path)
    if place is None:
        return True  # reading it says what is wrong
    known = place in seen
    seen.add(place)
    return not known


def _chained(search: Search, paths: list[Path]) -> Iterator[TraceLine]:
    for path in paths:
        try:
            with ExitStack() as stack:
                file: IO[bytes] = stack.enter_context(path.open("rb"))
                if path.suffix == ".gz":
                    file = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
                yield from _matches(search, bounded_lines(file, search))
        except (OSError, EOFError, zlib.error) as error:
            search.unreadable.append(f"{path}: {getattr(error, 'strerror', None) or error}")


def _matches(search: Search, lines: Iterable[bytes]) -> Iterator[TraceLine]:
    for line in lines:
        found = search.match(line)
        if found is not None:
            yield found


def bounded_lines(file: IO[bytes], search: Search) -> Iterator[bytes]:
    """The file's lines; one longer than `LONGEST_LINE` is counted as broken and passed over in pieces."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            search.broken += 1
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            continue
        yield line


def follow_file(
    search: Search, path: Path, wait: Callable[[], object] = lambda: time.sleep(0.25)
) -> Iterator[TraceLine]:
    """The lines of the rotated files and of the file, and those that are appended from then on, for ever: `tail -F`.

    A file that is rotated or truncated meanwhile is read from its new start. `wait` is called when there is nothing
    new; an exception from it ends the following.
    """
    yield from _chained(search, with_rotated(path)[:-1])
    yield from _matches(search, _tail(path, wait))


def _tail(path: Path, wait: Callable[[], object]) -> Iterator[bytes]:
    file: IO[bytes] | None = None
    place: tuple[int, int] | None = None
    partial = b""
    leaving = False
    try:
        while True:
            piece = file.readline(LONGEST_LINE) if file is not None else b""
            if piece:
                partial = (partial + piece)[-LONGEST_LINE:]
                if partial.endswith(b"\n"):
                    yield partial
                    partial = b""
                continue
            now = _place(path)
            truncated = file is not None and os.fstat(file.fileno()).st_size < file.tell()
            if now is None or (now == place and not truncated):
                wait()
            elif file is not None and not leaving:
                leaving = True  # once more: what was written between the last look and the rotation
            else:
                if file is not None:
                    file.close()
                file, place, partial, leaving = path.open("rb"), now, b"", False
    finally:
        if file is not None:
            file.close()


def _place(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
