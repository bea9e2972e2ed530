"""How long ended jobs are kept, when pruning is on hold, and what a pruning did or would do."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs


@attrs.frozen
class PruneResult:
    """What was removed, or in a dry run what would be: ``jobs``, and ``events`` of theirs.

    ``kept``: jobs as old that stay until the next time, because their provider could not forget them. ``oldest``: when
    the first of them all had ended, None where there is none. ``before``: jobs that ended before this time are removed;
    None where jobs are kept for ever. ``held``: why nothing is removed now and how that ends, None where there is no
    hold. ``next``: the id after which the next pass goes on, where this one stopped because its time was over.
    """

    before: datetime | None
    jobs: int = 0
    events: int = 0
    kept: int = 0
    oldest: datetime | None = None
    held: str | None = None
    next: str | None = None


HOLD_SECONDS = 24 * 3600.0
"""Running time of the supervisor after which a hold ends by itself."""

SILENCE = timedelta(days=7)
"""A start whose newest event is older than this may be a start with a wrong clock."""

_SHARE, _NUMBER = 10, 100
"""A pass that would remove more than one in so many jobs, and more than so many, may be one with a wrong clock."""


@attrs.frozen
class Hold:
    """Why nothing is removed by its age for now: the wall clock may be wrong.

    ``ran``: seconds for which supervisors have run since it began. ``warned``: whether there was something to
    remove, and a WARNING was logged. ``over``: it has ended, and what it kept may be removed, however much that is.
    """

    reason: str
    began_at: datetime
    ran: float = 0.0
    warned: bool = False
    over: bool = False

    def after(self, seconds: float) -> Hold:
        """The hold once supervisors have run for ``seconds`` more."""
        ran = self.ran + seconds
        return attrs.evolve(self, ran=ran, over=self.over or ran >= HOLD_SECONDS)

    def in_words(self) -> str:
        """Why nothing is removed, and how that ends."""
        hours = max(0.0, HOLD_SECONDS - self.ran) / 3600
        return f"{self.reason}; ends after {hours:.1f} h more of running, or at once with: greenroom prune --yes"


def leapt(forward: timedelta) -> str:
    """Why a hold begins when the wall clock was put forward."""
    return f"the wall clock went forward by {_rough(forward)}"


def silent(newest: datetime | None, now: datetime) -> str | None:
    """Why a hold begins at a start whose newest event is of then; None where none does."""
    if newest is None or now - newest <= SILENCE:
        return None
    return f"at the start the newest event was {_rough(now - newest)} old"


def too_many(old: int, kept: int) -> str | None:
    """Why a hold begins where ``old`` of ``kept`` jobs would go in one pass; None where none does."""
    if old <= _NUMBER or old * _SHARE <= kept:
        return None
    return f"{old} of {kept} jobs would be removed in one pass"


def _rough(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def kept_since(now: datetime, days: float) -> datetime | None:
    """Jobs that ended before this are to go; None: none ever, for 0 days and for more than there is history."""
    try:
        return now - timedelta(days=days) if days else None
    except OverflowError:
        return None
