"""A curve in one line of text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

WIDTH = 30
"""Characters of a curve."""
_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"


def sparkline(points: Sequence[Sequence[float | None]], width: int = WIDTH) -> str:
    """The values of ``points`` (x, y; y None in a gap) from the least to the greatest, at most ``width`` characters.

    Several points in one character are shown by their mean, a gap by a space.
    """
    columns: list[list[float]] = [[] for _ in range(min(width, len(points)))]
    for number, (_, y) in enumerate(points):
        if y is not None:
            columns[number * len(columns) // len(points)].append(y)
    # Of halves, since sums and differences of very large numbers are infinite.
    means = [sum(y / 2 / len(each) for y in each) if each else None for each in columns]
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    marks = _BLOCKS if (sys.stdout.encoding or "").lower().startswith("utf") else _ASCII
    highest = len(marks) - 1
    return "".join(
        " " if mean is None else marks[round((mean - low) / span * highest) if span else highest // 2] for mean in means
    )
