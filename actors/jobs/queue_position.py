"""The position of an entry in the queue: how many would run before it.

Ageing moves entries relative to one another, but within a lane never past an older one. So in every lane the entries
before a given one are those that were queued before one moment; that moment is computed here, and the entries are
counted by an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from actors.jobs.levels import AGEING_CAP, AGEING_STEP, effective_priority
from actors.jobs.records import QueueEntry
from actors.jobs.scheduling import Lane

Moment = tuple[datetime, int]
"""A place in queue time: ``queued_at`` and ``queued_seq``."""

CountBefore = Callable[[Lane, Moment], int]
"""How many entries of a lane were queued strictly before a moment."""

_FOREVER = datetime.max.replace(tzinfo=UTC)
_LAST = 2**63 - 1


def position(entry: QueueEntry, lanes: Iterable[Lane], now: datetime, count_before: CountBefore) -> int:
    """How many ready entries would be looked at before this pending one; 0 where it is the first. Exact.

    ``count_before`` is called only for lanes that stand partly before the entry.
    """
    ahead = 0
    for lane in lanes:
        moment = ahead_until(lane, entry, now)
        if moment is None or (lane.head.queued_at, lane.head.queued_seq) >= moment:
            continue
        ahead += lane.count if moment[0] is _FOREVER else count_before(lane, moment)
    return ahead


def ahead_until(lane: Lane, entry: QueueEntry, now: datetime) -> Moment | None:
    """The moment before which a lane's entries stand before ``entry``; None where none can."""
    start = lane.base_priority if lane.override is None else lane.override
    own = (entry.queued_at, entry.queued_seq)
    priority = effective_priority(entry.base_priority, entry.priority_override, entry.queued_at, now)
    above, level = _reaches(start, priority + 1, now), _reaches(start, priority, now)
    moments = [(above, _LAST)] if above is not None else []
    if level is not None:
        moments.append(min((level, _LAST), own))
    return max(moments, default=None)


def _reaches(start: int, priority: int, now: datetime) -> datetime | None:
    """The latest queue time that makes an entry of this start reach ``priority`` by ``now``; None: none does."""
    if start >= priority:
        return _FOREVER
    if priority > AGEING_CAP:
        return None
    return now - timedelta(hours=-((start - priority) // AGEING_STEP))
