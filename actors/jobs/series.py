"""One series of numbers that a job reports over time. It is thinned while it grows; the result depends on the numbers
alone.

**Points** are in the order of arrival. Of several values with equal x the last one counts. A number that is not finite,
null, and a step back (the beginning of another segment) are a gap: a point whose y is NaN; several in a row are one
gap. A gap is never dropped; if all points between two gaps are dropped, the two become one.

**Thinning.** Each number has a position: it is the first, the second, ... of its series. A point is kept if its
position is a multiple of the stride, which doubles whenever the series is full; the newest point is always kept. So the
points are spread evenly, and it does not matter into which pieces the file was cut.
"""

from __future__ import annotations

import base64
import math
from array import array
from math import isfinite

import attrs

MOST_POINTS = 1_000
"""Points of one series, gaps included."""
Point = tuple[float, float]
"""x and y; y is NaN where the value was not finite, and in a gap."""

_NO_POINT = (math.nan, math.nan)
_FEWEST = 8  # points: two numbers and three gaps may be left of any series


@attrs.frozen
class Summary:
    """What is kept of a series beside its points; None: no value, or none that is finite.

    ``first`` and ``last``: the values that came first and last. ``low`` and ``high``: the first of the smallest and of
    the largest ones. ``non_finite``: how many values were NaN or infinite.
    """

    first: Point | None = None
    last: Point | None = None
    low: Point | None = None
    high: Point | None = None
    non_finite: int = 0


@attrs.frozen
class SeriesData:
    """One series as it is stored: ``packed`` holds all x, then all y, as doubles."""

    name: str
    packed: bytes
    summary: Summary

    @property
    def points(self) -> list[Point]:
        """The points in their order."""
        return unpacked(self.packed)


@attrs.frozen
class Snapshot:
    """All series of a job at one moment.

    ``lines``: how many lines were read until then; it grows whenever the series change, even if they begin anew.
    """

    lines: int
    series: tuple[SeriesData, ...]


@attrs.define(eq=False)
class Series:
    """One series while it grows. The newest value waits in ``_x`` and ``_y``: another one of the same x replaces it."""

    _xs: array[float] = attrs.field(factory=lambda: array("d"))
    _ys: array[float] = attrs.field(factory=lambda: array("d"))
    _count: int = 0  # numbers that were settled: the next one's position
    _stride: int = 1
    _gap: float | None = None  # where a gap began behind the newest settled number
    _x: float | None = None
    _y: float | None = None  # None: null
    _first: Point | None = None
    _last: Point | None = None
    _low: Point | None = None
    _high: Point | None = None
    _non_finite: int = 0

    def add(self, x: float, y: float | None) -> None:
        """Take a value; ``y`` None: the job reported null."""
        if self._x is not None and x != self._x:
            self._settle()
            if x < self._x and self._gap is None:
                self._gap = x
        self._x, self._y = x, y

    def data(self, name: str) -> SeriesData:
        """The series as it is now, under its name."""
        whole = attrs.evolve(self, xs=self._xs[:], ys=self._ys[:])
        if self._x is not None:
            whole._settle()
        if whole._gap is not None:
            whole._point(whole._gap, math.nan)
            whole._thin()
        summary = Summary(whole._first, whole._last, whole._low, whole._high, whole._non_finite)
        return SeriesData(name, whole._xs.tobytes() + whole._ys.tobytes(), summary)

    def _settle(self) -> None:
        x, y = self._x, self._y
        assert x is not None
        if y is None or not isfinite(y):
            self._gap = x if self._gap is None else self._gap
            if y is not None:
                self._non_finite += 1
                self._last = (x, math.nan)
                self._first = self._first or self._last
            return
        self._last = point = (x, y)
        if self._low is None or self._high is None:
            self._low = self._high = point
            self._first = self._first or point
        elif y < self._low[1]:
            self._low = point
        elif y > self._high[1]:
            self._high = point
        if self._count and (self._count - 1) % self._stride:  # that one was kept only because it was the newest
            self._drop_newest()
        if self._gap is not None:
            self._point(self._gap, math.nan)
            self._gap = None
        self._xs.append(x)
        self._ys.append(y)
        self._count += 1
        self._thin()

    def _point(self, x: float, y: float) -> None:
        self._xs.append(x)
        self._ys.append(y)

    def _drop_newest(self) -> None:
        self._xs.pop()
        self._ys.pop()
        if self._ys and math.isnan(self._ys[-1]):
            self._gap = self._xs.pop()
            self._ys.pop()

    def _thin(self) -> None:
        while len(self._xs) > MOST_POINTS:
            self._stride *= 2
            self._xs, self._ys = halved(self._xs, self._ys)

    # Kept over a restart.

    def state(self) -> str:
        """All of it as text."""
        gap, x, y = (math.nan if value is None else value for value in (self._gap, self._x, self._y))
        values = [self._count, self._stride, gap, x, y, self._y is None, self._non_finite]
        for point in (self._first, self._last, self._low, self._high):
            values += point or _NO_POINT
        return base64.b64encode(array("d", values).tobytes() + self._xs.tobytes() + self._ys.tobytes()).decode()

    @classmethod
    def of_state(cls, text: str) -> Series:
        """What :meth:`state` gave. Raises ``ValueError``, ``TypeError`` or ``OverflowError`` for anything else."""
        values = array("d")
        values.frombytes(base64.b64decode(text, validate=True))
        head, points = values[:15], values[15:]
        if len(head) < 15 or len(points) % 2 or len(points) > 2 * MOST_POINTS:
            raise ValueError("it is no series")
        count, stride, gap, x, y, is_null, non_finite, *ends = head
        half, value = len(points) // 2, None if is_null else y
        return cls(
            points[:half], points[half:], int(count), max(1, int(stride)), _number_of(gap), _number_of(x), value,
            _point_of(*ends[:2]), _point_of(*ends[2:4]), _point_of(*ends[4:6]), _point_of(*ends[6:]), int(non_finite),
        )  # fmt: skip


def _number_of(value: float) -> float | None:
    return None if math.isnan(value) else value


def _point_of(x: float, y: float) -> Point | None:
    return None if math.isnan(x) else (x, y)


def halved(xs: array[float], ys: array[float]) -> tuple[array[float], array[float]]:
    """Every second number left out, the first and the last kept; gaps that come to lie side by side become one."""
    kept_xs, kept_ys = array("d"), array("d")
    newest = next((at for at in range(len(ys) - 1, -1, -1) if not math.isnan(ys[at])), -1)
    gap: float | None = None
    position = 0
    for at, y in enumerate(ys):
        if math.isnan(y):
            gap = xs[at] if gap is None else gap
            continue
        if position % 2 == 0 or at == newest:
            if gap is not None:
                kept_xs.append(gap)
                kept_ys.append(math.nan)
                gap = None
            kept_xs.append(xs[at])
            kept_ys.append(y)
        position += 1
    if gap is not None:
        kept_xs.append(gap)
        kept_ys.append(math.nan)
    return kept_xs, kept_ys


def unpacked(data: bytes) -> list[Point]:
    """The points in ``data``; what is not whole is left out."""
    values = array("d")
    values.frombytes(data[: len(data) // 16 * 16])
    half = len(values) // 2
    return list(zip(values[:half], values[half:], strict=True))


def thinned(points: list[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most ``most`` (8 or more) of ``points``, by the same rule: every second number left out until they fit."""
    xs, ys = array("d", [x for x, _ in points]), array("d", [y for _, y in points])
    while len(xs) > max(_FEWEST, most):
        xs, ys = halved(xs, ys)
    return list(zip(xs, ys, strict=True))
