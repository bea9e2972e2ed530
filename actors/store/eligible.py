"""Entries that become eligible: their time has come, or the last job that they waited for has ended.

Their queue time begins then. A few statements serve many entries at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from actors.store import queue
from actors.store.prepared import Prepared
from actors.store.schema import queue_entries

_ENTRY = queue_entries.c
_THIS = update(queue_entries).where(_ENTRY.job_id == bindparam("this"))
_STARTING = Prepared(
    select(queue_entries)
    .where(queue.LATER, _ENTRY.start_after <= bindparam("now"))
    .order_by(_ENTRY.start_after)
    .limit(bindparam("most"))
)
_STARTED = Prepared(_THIS, ("start_after", "start_wait_seconds"))
_COUNT_DOWN = Prepared(_THIS.values(unfinished_parents=_ENTRY.unfinished_parents - 1))
_COUNTED_OUT = Prepared(
    select(queue_entries).where(_ENTRY.job_id.in_(bindparam("these", expanding=True)), _ENTRY.unfinished_parents == 0)
)
_PLACED = ("queued_at", "queued_seq", "lane_id")
_PLACE = Prepared(_THIS, _PLACED)

Order = Callable[[], int]
"""Gives a number that grows with every call: the order of entries of the same queue time."""


def release_starting(connection: Connection, now: datetime, order: Order, most: int) -> int:
    """Let entries start whose ``start_after`` has passed, ``most`` of them; how many there were."""
    due = _STARTING.dicts(connection, now=now, most=most)
    started = {"start_after": None, "start_wait_seconds": None}
    _STARTED.run_many(connection, [{"this": row["job_id"], **started} for row in due])
    _make_eligible(connection, ({**row, **started} for row in due), now, order)
    return len(due)


def count_down(connection: Connection, job_ids: Sequence[str], now: datetime, order: Order) -> None:
    """One job less for which each of these waits."""
    if not job_ids:
        return
    _COUNT_DOWN.run_many(connection, [{"this": job_id} for job_id in job_ids])
    _make_eligible(connection, _COUNTED_OUT.dicts(connection, these=job_ids), now, order)


def _make_eligible(connection: Connection, rows: Iterable[dict[str, Any]], now: datetime, order: Order) -> None:
    """Those that nothing holds any more enter their lanes, in the order in which they were submitted."""
    ready = sorted(filter(queue.is_ready, rows), key=lambda row: (row["queued_at"], row["queued_seq"]))
    for row in ready:
        row.update(queued_at=now, queued_seq=order())
    queue.enter_lanes(connection, ready)
    _PLACE.run_many(connection, [{"this": row["job_id"], **{name: row[name] for name in _PLACED}} for row in ready])
