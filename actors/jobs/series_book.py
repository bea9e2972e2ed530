"""From the lines of a progress file to the series of a job.

A line is one JSON object. Each of its numbers belongs to a series: ``{"eval": {"loss": 0.4}}`` to ``eval.loss``. x is
the line's ``step`` where that is a number, else the number of the line, from 1 on. ``step`` and ``total`` themselves
make no series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import attrs

from actors.jobs.series import Series, Snapshot

MOST_NAMES = 50
"""Series of one job."""
LONGEST_NAME = 200
"""Characters of the name of a series; a number under a longer one makes none."""
AXES = frozenset({"step", "total"})
"""Numbers of a line that say where in the job it was written; they make no series."""


@attrs.define(eq=False)
class SeriesBook:
    """All series of one job while they grow.

    ``lines``: read so far. ``left_out``: there were more than 50 names. ``step``: that of the last line that had one.
    ``earlier``: lines of the files before, if this one was written anew.
    """

    lines: int = 0
    left_out: bool = False
    step: float | None = None
    earlier: int = 0
    _series: dict[str, Series] = attrs.field(factory=dict)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take the numbers of the next line."""
        self.lines += 1
        x = step_of(line)
        if x is None:
            x = float(self.lines)
        else:
            self.step = x
        for name, value in _numbers(line):
            series = self._series.get(name)
            if series is None:
                if value is None:  # a null says nothing of a name that never was a number
                    continue
                if len(self._series) >= MOST_NAMES:
                    self.left_out = True
                    continue
                series = self._series[name] = Series()
            series.add(x, value)

    def begun_anew(self) -> SeriesBook:
        """An empty book for the lines of a file that took the place of the one before."""
        return SeriesBook(earlier=self.earlier + self.lines)

    def continues(self, line: Mapping[str, Any]) -> bool:
        """Whether ``line``, the first one of a file that was written anew, goes on where the last one ended."""
        step = step_of(line)
        return step is not None and self.step is not None and step > self.step

    def snapshot(self) -> Snapshot:
        """All of them as they are now."""
        return Snapshot(self.earlier + self.lines, tuple(one.data(name) for name, one in self._series.items()))

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        series = {name: one.state() for name, one in self._series.items()}
        places = {"lines": self.lines, "left_out": self.left_out, "step": self.step, "earlier": self.earlier}
        return {**places, "series": series}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> SeriesBook:
        """What :meth:`state` gave. Raises ``ValueError``, ``TypeError``, ``KeyError`` or ``OverflowError``."""
        series = {str(name): Series.of_state(text) for name, text in state["series"].items()}
        step = state["step"]
        lines, left_out, earlier = int(state["lines"]), bool(state["left_out"]), int(state.get("earlier", 0))
        return cls(lines, left_out, None if step is None else float(step), earlier, series)


def step_of(line: Mapping[str, Any]) -> float | None:
    """The ``step`` of a line; None where that is no finite number."""
    step = line.get("step")
    if type(step) is not int and type(step) is not float:
        return None
    return float(step) if isfinite(step) else None


def _numbers(line: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float | None]]:
    """Each number of a line, and each null, under its name; a name that is too long is none."""
    for key, value in line.items():
        name = prefix + key
        if len(name) > LONGEST_NAME or (not prefix and key in AXES):
            continue
        kind = type(value)
        if kind is float:
            yield name, value
        elif kind is int:
            yield name, float(value)
        elif value is None:
            yield name, None
        elif kind is dict:
            yield from _numbers(value, f"{name}.")
