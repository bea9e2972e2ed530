"""A text looked for in a job's output while it is read, in memory that does not grow with the output or its lines.

Whole lines are searched together, as they come. Of a line whose end has not come, only the beginning waits for the
rest; when it is longer than :data:`LONGEST` it is searched, and as much of its end is kept as a place that is not
complete may need.
"""

from __future__ import annotations

import codecs
import re

import attrs

LONGEST = 64 * 1024
"""Characters of a line that wait for its end."""
AROUND = 120
"""Characters of the line that are given before and after a place in it."""


@attrs.frozen
class FoundLine:
    """A line with the text: its number, counted from 1, and what stands around the first place in it."""

    line: int
    text: str


class OutputSearch:
    """Finds the lines with ``text``, upper and lower case alike; what is not UTF-8 is replaced before."""

    def __init__(self, text: str) -> None:
        self._wanted = text.lower()
        self._pattern = re.compile(re.escape(text), re.IGNORECASE)
        self._length = len(text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._lines_before = 0
        self._line_is_found = False
        self._has_open_line = False

    @property
    def lines(self) -> int:
        """How many lines were given so far; one that has not ended counts."""
        return self._lines_before + self._has_open_line

    def feed(self, data: bytes, *, final: bool = False) -> list[FoundLine]:
        """The lines that are found now that ``data`` has come; ``final``: nothing comes after it."""
        self._rest += self._decoder.decode(data, final)
        self._has_open_line = not self._rest.endswith("\n") and bool(self._rest)
        end = len(self._rest) if final else self._rest.rfind("\n") + 1
        found = self._look(self._rest[:end])
        self._rest = self._rest[end:]
        if len(self._rest) > LONGEST:
            found += self._look(self._rest)
            self._rest = self._rest[-max(self._length - 1, 1) :]
        return found

    def _look(self, part: str) -> list[FoundLine]:
        """The lines of ``part`` that have the text; those that end in it are counted."""
        found = []
        at, number = 0, self._lines_before + 1
        self._lines_before += part.count("\n")
        if self._line_is_found:  # what comes up to its end is not looked at
            at, number = part.find("\n") + 1, number + 1
            if at == 0:
                return []
        self._line_is_found, lower = False, part.lower()
        while (place := self._next(part, lower, at)) is not None:
            number += part.count("\n", at, place)
            found.append(FoundLine(number, _around(part, place, self._length)))
            if (end := part.find("\n", place)) < 0:
                self._line_is_found = True
                break
            at, number = end + 1, number + 1
        return found

    def _next(self, part: str, lower: str, at: int) -> int | None:
        if len(lower) == len(part):
            place = lower.find(self._wanted, at)
            return None if place < 0 else place
        match = self._pattern.search(part, at)  # lower case is longer here, so its places are not those of the part
        return None if match is None else match.start()


def _around(part: str, place: int, length: int) -> str:
    """What stands around ``place`` in its line."""
    begin = max(part.rfind("\n", 0, place) + 1, place - AROUND)
    end = part.find("\n", place)
    end = min(len(part) if end < 0 else end, place + length + AROUND)
    return part[begin:end].rstrip("\r")
