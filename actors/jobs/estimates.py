"""The estimated end of a running job, by the steps that it has done: a span, because nobody knows it exactly.

The *pace* of a job is a list of pairs: a time, in seconds since 1970, and the step that was reported by then. It has at
most one pair every 10 s, and at most :data:`MOST_PAIRS`, spread evenly over the steps. A step back (a job that
continues from a checkpoint) begins it anew, and so does another attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from actors.jobs.durations import seconds_between

MOST_PAIRS = 64
PAIR_SECONDS = 10.0
"""Between two pairs, at the least."""
LEAST_SHARE = 0.05
LEAST_SECONDS = 30.0
"""An estimate needs more than this share of the steps, and more than these seconds."""

MOST_STEPS = float(2**53)
"""Numbers beyond this are no steps: not every whole number can be told from the next one."""

_PARTS = 4  # into which the last half of the steps is cut, to see how much the speed differs

Pair = tuple[float, float]
"""A time in seconds since 1970, and a step."""


@attrs.frozen
class Span:
    """Something happens between ``earliest`` and ``latest``."""

    earliest: datetime
    latest: datetime

    @property
    def middle(self) -> datetime:
        """The moment between both."""
        return self.earliest + (self.latest - self.earliest) / 2


def steps_of(progress: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """The step and the total number of steps in a progress; None: it does not say both, in numbers of steps."""
    found = progress if isinstance(progress, Mapping) else {}  # it comes from a row
    step, total = _number(found.get("step")), _number(found.get("total"))
    return None if step is None or total is None or total <= 0 else (step, total)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST_STEPS:
        return None
    return float(value)


def advanced(
    pace: object, progress: Mapping[str, Any] | None, started_at: datetime | None, now: datetime
) -> list[list[float]] | None:
    """The pace after ``progress`` was reported at ``now``; None: it is as it was.

    ``started_at``: when this attempt began; what was reported before that counts no more.
    """
    steps = steps_of(progress)
    if steps is None:
        return None
    moment, step = round(now.timestamp(), 1), steps[0]
    begun = now.timestamp() if started_at is None else started_at.timestamp()
    pairs = [pair for pair in pairs_of(pace) if begun - 1 <= pair[0] <= moment]
    if pairs and step < pairs[-1][1]:
        pairs = []
    if pairs and (step == pairs[-1][1] or moment - pairs[-1][0] < PAIR_SECONDS):
        return None
    return [list(pair) for pair in _thinned([*pairs, (moment, step)])]


def pairs_of(pace: object) -> list[Pair]:
    """The pairs of a stored pace; what is none is left out."""
    found = []
    for pair in pace if isinstance(pace, Sequence) else ():
        if isinstance(pair, Sequence) and len(pair) == 2 and not isinstance(pair, str):
            moment, step = _number(pair[0]), _number(pair[1])
            if moment is not None and step is not None:
                found.append((moment, step))
    return found


def _thinned(pairs: list[Pair]) -> list[Pair]:
    """At most :data:`MOST_PAIRS`: without the inner pair whose neighbours are closest in steps."""
    while len(pairs) > MOST_PAIRS:
        closest = min(range(1, len(pairs) - 1), key=lambda at: pairs[at + 1][1] - pairs[at - 1][1])
        del pairs[closest]
    return pairs


def estimated_end(
    pace: object,
    progress: Mapping[str, Any] | None,
    started_at: datetime | None,
    now: datetime,
    max_runtime: float | None = None,
    reported_at: datetime | None = None,
) -> Span | None:
    """The estimated end of a running job; None if there is no basis for it yet. Never before ``now``.

    ``reported_at``: when ``progress`` was reported, if that is known; it may be newer than the pace.

    The estimate uses the speed of the last half of the steps done. The span is wider the more the speed differed
    between the quarters of that half; a job that has reported nothing for longer than a step takes counts as that slow.
    """
    steps, pairs = steps_of(progress), pairs_of(pace)
    if steps is None or started_at is None or len(pairs) < 2:
        return None
    if (
        reported_at is not None
        and steps[0] > pairs[-1][1]
        and pairs[-1][0] < reported_at.timestamp() <= now.timestamp()
    ):
        pairs.append((reported_at.timestamp(), steps[0]))
    total, (then, step), first = steps[1], pairs[-1], pairs[0][1]
    if step <= LEAST_SHARE * total or seconds_between(started_at, now) <= LEAST_SECONDS or step <= first:
        return None
    speeds = _speeds(pairs)
    if min(speeds) <= 0:  # numbers so close that their differences vanish
        return None
    fastest = max(speeds)
    silent = now.timestamp() - then - PAIR_SECONDS  # a step that came since then may not be written yet
    if silent > 0:  # one step more has not come
        half = (first + step) / 2
        speeds.append((step + 1 - half) / (silent + then - _time_of(pairs, half)))
    slowest = min(speeds)
    left = max(0.0, total - step)
    least, most = (left / fastest, max(left, 1.0) / slowest)
    return _span(then + least, then + most, now, _deadline(started_at, max_runtime))


def _speeds(pairs: Sequence[Pair]) -> list[float]:
    """Steps per second: over the last half of the steps, and over each quarter of it."""
    step = pairs[-1][1]
    half = (pairs[0][1] + step) / 2
    cuts = [min(step, half + (step - half) * part / _PARTS) for part in range(_PARTS + 1)]
    times = [_time_of(pairs, cut) for cut in cuts]
    ends = [(0, _PARTS), *((part, part + 1) for part in range(_PARTS))]
    return [(cuts[end] - cuts[begin]) / max(0.001, times[end] - times[begin]) for begin, end in ends]


def _time_of(pairs: Sequence[Pair], step: float) -> float:
    """When a step between the first and the last was reached, between two pairs by a straight line."""
    after = next((at for at in range(1, len(pairs)) if pairs[at][1] >= step), len(pairs) - 1)
    (begin, low), (end, high) = pairs[after - 1], pairs[after]
    return begin + (end - begin) * (step - low) / (high - low) if high > low else end


def _deadline(started_at: datetime, max_runtime: float | None) -> datetime | None:
    try:
        return None if max_runtime is None else started_at + timedelta(seconds=max_runtime)
    except OverflowError:
        return None


def _span(earliest: float, latest: float, now: datetime, deadline: datetime | None) -> Span | None:
    """None where it is further away than a date can be."""
    try:
        ends = [datetime.fromtimestamp(moment, UTC) for moment in (earliest, latest)]
    except (OverflowError, ValueError, OSError):
        return None
    if deadline is not None:
        ends = [min(end, deadline) for end in ends]
    return Span(*(max(end, now) for end in ends))
