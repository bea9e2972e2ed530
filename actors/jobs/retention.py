"""How long ended jobs are kept (C6), and what a pruning did or would do."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs


@attrs.frozen
class PruneResult:
    """What was removed, or in a dry run what would be: ``jobs``, and ``events`` of theirs.

    ``kept``: jobs as old that stay until the next time, because their provider could not forget them. ``oldest``: when
    the first of them all had ended, None where there is none. ``before``: those that ended before it are meant, None
    where jobs are kept for ever.
    """

    before: datetime | None
    jobs: int = 0
    events: int = 0
    kept: int = 0
    oldest: datetime | None = None


def kept_since(now: datetime, days: int) -> datetime | None:
    """Jobs that ended before this are to go; None: none ever, for 0 days and for more than there is history."""
    try:
        return now - timedelta(days=days) if days else None
    except OverflowError:
        return None
