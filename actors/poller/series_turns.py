"""When the series of each job are written: at most every 10 s, and always together with its end."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
import trio

from actors.jobs.records import Observation, Phase

WRITE_SECONDS = 10.0
"""The least seconds between two writes of one job's series."""
_KEPT = 10_000
"""The most jobs that are remembered; the series of others are written once more than necessary."""
_ENDS = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT, Phase.LOST})


class SeriesTurns:
    """Decides which observations pass their series on; by the keys of the jobs' submissions."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[int, float]] = {}  # number of lines, when
        self._due: dict[str, float] = {}

    def in_turn(self, key: str, seen: Observation) -> Observation:
        """``seen``, without its series if they are unchanged or need not be written yet."""
        if seen.series is None or seen.phase in _ENDS:
            return seen
        lines, at = self._written.get(key, (-1, -math.inf))
        if lines != seen.series.lines:
            if trio.current_time() - at >= WRITE_SECONDS:
                return seen
            self._due[key] = at + WRITE_SECONDS
        return attrs.evolve(seen, series=None)

    def written(self, news: Mapping[str, Observation]) -> None:
        """These observations are committed."""
        if len(self._written) > _KEPT:
            self._written.clear()
        now = trio.current_time()
        for key, seen in news.items():
            if seen.phase in _ENDS:
                self._written.pop(key, None)
                self._due.pop(key, None)
            elif seen.series is not None:
                self._written[key] = (seen.series.lines, now)
                self._due.pop(key, None)

    @property
    def next_due(self) -> float:
        """Trio time at which a job is to be observed because its series were not written; infinite for none."""
        return min(self._due.values(), default=math.inf)

    def due(self) -> frozenset[str]:
        """The keys of the jobs to observe now."""
        now = trio.current_time()
        found = frozenset(key for key, at in self._due.items() if at <= now)
        for key in found:
            del self._due[key]
        return found
