"""Problems of a document, with their places; they are collected and raised together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs


@attrs.frozen
class Place:
    """Where in a file: line and column count from 1; a place without a line is the file as a whole."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"


@attrs.frozen
class Problem:
    """One problem. ``place`` is None for data that came from no file; ``path`` is empty for the document as a whole."""

    place: Place | None
    path: str
    message: str

    def __str__(self) -> str:
        parts = ("" if self.place is None else str(self.place), self.path, self.message)
        return ": ".join(part for part in parts if part)


class CheckedError(Exception):
    """The document is refused: ``faults`` has all its problems, in order; ``str()`` has a line for each."""

    def __init__(self, faults: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.faults,)


class Problems:
    """Collects problems. A problem of a value that several aliases share is reported once."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Problem] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place | None, path: str, message: str) -> None:
        """Note one problem."""
        key = (path, message) if place is None else (place, message)
        self._found.setdefault(key, Problem(place, path, message))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add the problems of another reading."""
        for one in problems:
            self.add(one.place, one.path, one.message)

    def check(self) -> None:
        """Raise :class:`CheckedError` with all of them, in the order of the file, where there is one."""
        if self._found:
            raise CheckedError(sorted(self._found.values(), key=_position))


def _position(problem: Problem) -> tuple[int, int]:
    place = problem.place
    return (0, 0) if place is None or place.line is None else (place.line, place.column or 0)
