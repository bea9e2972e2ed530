"""No duration that is shown or counted is negative: one helper makes all that are made of written times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.durations import seconds_between

ACTORS = Path(__file__).parents[2] / "actors"
DIFFERENCE = re.compile(r"\([^()]* - [^()]*(\([^()]*\))?[^()]*\)\.total_seconds\(\)")
LEFT = {
    "jobs/durations.py",  # the helper
    "kernel/clock.py",  # until a deadline, which may have passed
    "kernel/steps.py",
    "providers/ray/statuses.py",  # compared with what was allowed, never shown
    "providers/scripted/nudges.py", "providers/scripted/remote.py",  # the simulated provider's own time
    "simulation/deliveries.py",
    *(f"testing/fake_replicate/{name}.py" for name in ("deliveries", "documents", "fake", "jobs")),
}  # fmt: skip


@given(st.floats(-1e9, 1e9))
def test_the_seconds_between_two_times_are_never_negative(apart: float) -> None:
    now = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert seconds_between(now, now + timedelta(seconds=apart)) == max(0.0, timedelta(seconds=apart).total_seconds())


def test_every_difference_of_written_times_is_made_by_the_helper() -> None:
    """A clock may have been put back between the two: who subtracts by hand forgets that."""
    found = {
        str(path.relative_to(ACTORS)) for path in sorted(ACTORS.rglob("*.py")) if DIFFERENCE.search(path.read_text())
    }
    assert found <= LEFT
