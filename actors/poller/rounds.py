"""What a round over a provider's jobs is asked to look at."""

from __future__ import annotations

import attrs
import trio


@attrs.define
class Round:
    """What a round is to look at: everything, or the jobs of some keys.

    ``keys``: of jobs whose provider is asked about them. ``rows``: of jobs of which only the rows are read, for what is
    to be settled or cancelled. ``observe``: ask for statuses, too; else only of jobs silent for ``silent_for`` seconds
    (0: of none).
    ``first``: it is the look at all jobs that a provider which is not polled gets at the start.
    ``correlation_id``: that of the cycle that asked, None where no cycle did. ``waiters``: told when it is through.
    """

    everything: bool = False
    observe: bool = False
    silent_for: float = 0.0
    first: bool = False
    keys: set[str] = attrs.field(factory=set)
    rows: set[str] = attrs.field(factory=set)
    correlation_id: str | None = None
    waiters: list[trio.Event] = attrs.field(factory=list)
    fault: Exception | None = None

    def __bool__(self) -> bool:
        return self.everything or bool(self.keys or self.rows)

    def add(self, other: Round) -> None:
        """Look at what ``other`` was to look at, too; who waits for that one does not wait for this."""
        self.everything |= other.everything
        self.observe |= other.observe
        self.first |= other.first
        self.silent_for = max(self.silent_for, other.silent_for)
        self.keys |= other.keys
        self.rows |= other.rows


LEFT_OUT_AT_MOST = 4
"""Cycles in a row in which an old job is not asked about."""

OLD_AFTER = 1800.0
"""Seconds without a change after which a job is left out of one cycle; of two after twice as long, and so on."""


def cycles_left_out(unchanged: float) -> int:
    """Of how many cycles in a row a job is left out that did not change for ``unchanged`` seconds.

    Only where each job costs a request of its own. A job that has run for an hour will hardly end in the next half
    minute, and a late word about its end costs less than the requests of all the others.
    """
    return min(LEFT_OUT_AT_MOST, max(0, int(unchanged // OLD_AFTER)))
