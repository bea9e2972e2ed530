"""How good the estimates of running jobs are, on recorded trainings (``recorded_runs.json``, see ``record_runs.py``).

    python benchmarks/bench_estimates.py [--every 5] [--json]

Each run is replayed as the ledger sees it, and asked about every few seconds until its end. A run has an estimate at a
moment where it is past 5 % and 30 s and one is shown. The error is the distance of the middle of the span from the real
end, as a share of the time that was left; of all moments of all runs the median counts.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from common import Figure, arguments, at_least, report

from actors.jobs.estimates import advanced, estimated_end

RUNS = Path(__file__).parent / "recorded_runs.json"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@attrs.frozen
class Moment:
    """One look at a run: when, how much time was left, and what the estimate was; None: none was shown."""

    seconds: float
    left: float
    share: float
    error: float | None = None
    within: bool = False


def looks(run: dict[str, Any], every: float) -> Iterator[Moment]:
    """Every look at a run while it ran."""
    pace: Any = None
    progress, reported_at = None, None
    seen = iter(run["seen"])
    following = next(seen, None)
    seconds = every
    while seconds < run["seconds"]:
        while following is not None and following[0] <= seconds:
            reported_at, progress = at(following[0]), {"step": following[1], "total": run["total"]}
            pace = advanced(pace, progress, START, reported_at) or pace
            following = next(seen, None)
        left, share = run["seconds"] - seconds, 0.0 if progress is None else progress["step"] / run["total"]
        span = estimated_end(pace, progress, START, at(seconds), reported_at=reported_at)
        if span is None:
            yield Moment(seconds, left, share)
        else:
            error = abs((span.middle - at(run["seconds"])).total_seconds()) / left
            yield Moment(seconds, left, share, error, span.earliest <= at(run["seconds"]) <= span.latest)
        seconds += every


def at(seconds: float) -> datetime:
    """A moment of a run."""
    return START + timedelta(seconds=seconds)


def main() -> None:
    """Replay and report."""
    given = arguments(__doc__, every=(5, "seconds between two looks"))
    runs = [list(looks(run, given.every)) for run in json.loads(RUNS.read_text())]
    moments = [moment for run in runs for moment in run]
    shown = [moment for moment in moments if moment.error is not None]
    past = [moment for moment in moments if moment.seconds > 30 and moment.share > 0.05]
    errors = [moment.error for moment in shown if moment.error is not None]
    with_one = sum(any(moment.error is not None for moment in run) for run in runs)
    median = statistics.median(errors)
    within = sum(moment.within for moment in shown) / len(shown)
    figures = [
        at_least(Figure("runs that had an estimate while they ran", 100 * with_one / len(runs), "%"), 80),
        at_least(Figure("looks past 5 % and 30 s with an estimate", 100 * len(shown) / len(past), "%"), 80),
        Figure("looks with an estimate, of all", 100 * len(shown) / len(moments), "%"),
        Figure(
            "median error, of the time left", 100 * median, "%", target="<= 20 %", met=median <= 0.2,
            note=f"{len(runs)} runs, {len(shown)} looks",
        ),
        Figure("looks whose span held the real end", 100 * within, "%"),
    ]  # fmt: skip
    report(figures, as_json=given.json)


if __name__ == "__main__":
    main()
