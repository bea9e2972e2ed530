"""Estimates of when waiting jobs start and end: the scheduler's own decision is simulated over the expected run times.

The simulation knows when running jobs end and how long those that start will run. Whenever one ends, it decides anew
which jobs start, exactly as the scheduler would. A job with an unknown run time keeps its place until the end of the
simulation, so jobs that can start only after it have no estimate. There are two simulations, with the earliest and with
the latest ends of what runs now; their results are the two ends of the span.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import count

import attrs

from actors.jobs.durations import seconds_between
from actors.jobs.estimates import Span
from actors.jobs.scheduling import Decision, Head, Lane, NextHead, Pick, Running

MOST_STARTS = 200
"""Jobs that start during one play; people ask for the first ones."""
MOST_LOOKS = 8_000
"""Lanes that are looked at during one play: some ten milliseconds, for which one reader waits."""

Decide = Callable[[Sequence[Lane], Sequence[Running], datetime, NextHead], Decision]
"""The scheduler's decision about these lanes, while this runs, at this moment."""

RunTime = Callable[[Pick], float | None]
"""How many seconds a job will run once it has started; None: nobody knows."""


@attrs.frozen
class Occupied:
    """What a running job holds, and when it ends; None: nobody knows."""

    running: Running
    ends: Span | None


@attrs.frozen
class Forecast:
    """When a waiting job starts, and when it ends; ``ends`` None: nobody knows how long it runs."""

    starts: Span
    ends: Span | None


def forecasts(
    lanes: Sequence[Lane], occupied: Sequence[Occupied], now: datetime, decide: Decide, next_head: NextHead,
    run_time: RunTime, until: str | None = None,
) -> dict[str, Forecast]:  # fmt: skip
    """By job id, the forecasts of those waiting jobs of which something can be known.

    ``next_head``: as for :func:`~actors.jobs.scheduling.decide`. ``until``: the play ends when this job has started.
    """

    def play(ends: Sequence[datetime | None]) -> dict[str, _Times]:
        holders = zip([one.running for one in occupied], ends, strict=True)
        return _Play(lanes, holders, now, decide, next_head, run_time).run(until)

    first = [None if one.ends is None else max(now, one.ends.earliest) for one in occupied]
    last = [None if one.ends is None else max(now, one.ends.latest) for one in occupied]
    early = play(first)
    late = early if first == last else play(last)
    return {job_id: _both(early[job_id], late[job_id]) for job_id in early if job_id in late}


_Times = tuple[datetime, datetime | None]


def _both(one: _Times, other: _Times) -> Forecast:
    starts = sorted((one[0], other[0]))
    ends = sorted(end for _, end in (one, other) if end is not None)
    return Forecast(Span(*starts), Span(ends[0], ends[-1]) if ends else None)


class _Play:
    """One play. ``at`` is its time; what ends next stands first in ``_ends``."""

    def __init__(
        self, lanes: Iterable[Lane], occupied: Iterable[tuple[Running, datetime | None]], now: datetime, decide: Decide,
        next_head: NextHead, run_time: RunTime,
    ) -> None:  # fmt: skip
        self._lanes = {lane.lane_id: lane for lane in lanes}
        self._at = now
        self._decide = decide
        self._after: dict[tuple[int, str], Head | None] = {}
        self._next_head_of_rows = next_head
        self._run_time = run_time
        self._running: dict[int, Running] = {}
        self._numbers = count()
        self._ends: list[tuple[datetime, int]] = []
        self._times: dict[str, _Times] = {}
        self._looks = 0
        for running, ends in occupied:
            self._occupy(running, ends)

    def run(self, until: str | None) -> dict[str, _Times]:
        """Start and end of each job that starts during the play."""
        while self._lanes and len(self._times) < MOST_STARTS and self._looks < MOST_LOOKS and until not in self._times:
            self._looks += len(self._lanes)
            decision = self._decide(list(self._lanes.values()), list(self._running.values()), self._at, self._next_head)
            self._note_shortage(decision)
            for pick in decision.picks:
                self._start(pick)
            if not self._ends:
                break
            self._at = self._ends[0][0]
            while self._ends and self._ends[0][0] <= self._at:
                del self._running[heapq.heappop(self._ends)[1]]
        return self._times

    def _occupy(self, running: Running, ends: datetime | None) -> None:
        number = next(self._numbers)
        self._running[number] = running
        if ends is not None:
            heapq.heappush(self._ends, (ends, number))

    def _start(self, pick: Pick) -> None:
        lane, seconds = pick.lane, self._run_time(pick)
        try:
            ends = None if seconds is None else self._at + timedelta(seconds=max(0.0, seconds))
        except OverflowError:
            ends = None
        self._times[pick.head.job_id] = (self._at, ends)
        self._occupy(Running(lane.user_id, lane.org_id, lane.team_id, lane.provider, lane.resources), ends)
        standing = self._lanes[lane.lane_id]
        following = self._next_head(attrs.evolve(standing, head=pick.head))
        if following is None:
            del self._lanes[lane.lane_id]
        else:
            rest = attrs.evolve(standing, head=following, count=max(1, standing.count - 1), blocked_since=None)
            self._lanes[lane.lane_id] = rest

    def _next_head(self, lane: Lane) -> Head | None:
        key = (lane.lane_id, lane.head.job_id)
        if key not in self._after:
            self._after[key] = self._next_head_of_rows(lane)
        return self._after[key]

    def _note_shortage(self, decision: Decision) -> None:
        """As the scheduler does: since when each lane's head has been passed over for resources."""
        for lane_id, lane in self._lanes.items():
            if (lane_id in decision.short_of_resources) != (lane.blocked_since is not None):
                since = self._at if lane_id in decision.short_of_resources else None
                self._lanes[lane_id] = attrs.evolve(lane, blocked_since=since)


def run_time_of(median: float | None, max_runtime: float | None) -> float | None:
    """How long a job will run by the median of earlier ones, at most as long as it may; None: nobody knows."""
    if median is None or max_runtime is None:
        return median
    return min(median, max_runtime)


def end_by_median(started_at: datetime | None, now: datetime, median: float | None) -> Span | None:
    """When a job without progress ends that ran since then; one that runs longer than the median is overdue by that."""
    if started_at is None or median is None:
        return None
    try:
        expected = started_at + timedelta(seconds=median)
        return Span(max(now, expected), max(now, expected) + max(timedelta(0), now - expected))
    except OverflowError:
        return None


def seconds_from(now: datetime, starts: Span | None) -> float | None:
    """Seconds until the middle of a span; None without one."""
    return None if starts is None else seconds_between(now, starts.middle)
