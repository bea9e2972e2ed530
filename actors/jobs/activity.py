"""The activity of the last hour: what ended in each minute, and how many jobs waited and ran at the end of each.

Rows say how many jobs wait and run now, and when jobs were made, started and ended. So the numbers of the past are
computed from the present ones, backwards minute by minute: a job that was made in a minute did not wait before it, one
that started in it did. A job that ran more than once, or that was requeued, has only the start of its last run; the
numbers of the past may differ by such jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import attrs

MINUTES = 60
WIDTH = timedelta(minutes=1)


@attrs.frozen
class Changes:
    """The changes in one minute. ``unstarted``: how many of the jobs that ended never started."""

    made: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    unstarted: int = 0

    @property
    def ended(self) -> int:
        """How many jobs ended."""
        return self.completed + self.failed + self.cancelled


@attrs.frozen
class Minute:
    """One minute: how many jobs ended in it, by their ends, and how many waited and ran at its end."""

    completed: int
    failed: int
    cancelled: int
    waiting: int
    running: int


@attrs.frozen
class Activity:
    """The last minutes, the first of which begins at ``begins_at``, and the present numbers.

    ``waiting`` includes jobs that wait for an approval; ``blocked``: how many those are.
    """

    begins_at: datetime
    minutes: tuple[Minute, ...]
    waiting: int
    blocked: int
    running: int


def beginning(now: datetime) -> datetime:
    """The beginning of the first minute, if the last one is not over at ``now``."""
    return now.astimezone(UTC).replace(second=0, microsecond=0) + WIDTH - MINUTES * WIDTH


def activity(begins_at: datetime, changes: Sequence[Changes], waiting: int, blocked: int, running: int) -> Activity:
    """The activity for which these ``changes``, minute by minute, lead to the present numbers."""
    minutes = []
    waited, ran = waiting, running
    for one in reversed(changes):
        minutes.append(Minute(one.completed, one.failed, one.cancelled, max(waited, 0), max(ran, 0)))
        waited += one.started + one.unstarted - one.made
        ran += one.ended - one.unstarted - one.started
    return Activity(begins_at, tuple(reversed(minutes)), waiting, blocked, running)
