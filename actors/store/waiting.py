"""Waiting entries, page by page, in the order in which they would start, each with its place in the whole queue.

Ageing changes the order as time passes, so a page belongs to an instant: all pages of one look are ordered as of the
first. The database computes the order. The time of a look grows with the number of waiting entries, once for each page;
its memory does not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, literal, select, tuple_, type_coerce

from actors.jobs.levels import AGEING_CAP, AGEING_STEP
from actors.store.jobs import SIZE
from actors.store.paging import bounded
from actors.store.queue import WAITING
from actors.store.schema import jobs, queue_entries
from actors.store.types import instant, microseconds, stored_instant

_HOUR = 3_600_000_000  # microseconds
_QUEUED: ColumnElement[int] = type_coerce(queue_entries.c.queued_at, BigInteger)


@attrs.frozen
class Spot:
    """Where an entry stands in the order as of ``now``: by ``standing``, then by priority, then by queue time.

    ``standing``: 0 for entries in line, 1 for those that wait for other jobs or for their time, 2 for blocked ones.
    """

    now: datetime
    standing: int
    rank: int
    queued_at: datetime
    queued_seq: int

    def as_place(self) -> tuple[int, ...]:
        """The spot as numbers."""
        return (microseconds(self.now), self.standing, self.rank, microseconds(self.queued_at), self.queued_seq)

    @classmethod
    def of_place(cls, place: tuple[Any, ...]) -> Spot:
        """The inverse of :meth:`as_place`. Raises ``OverflowError`` for moments that are none."""
        now, standing, rank, queued_at, queued_seq = place
        return cls(instant(now), standing, rank, instant(queued_at), queued_seq)


@attrs.frozen
class Waiting:
    """An entry that waits. ``ahead``: how many would be looked at before it; None: it does not stand in line."""

    job_id: str
    spot: Spot
    ahead: int | None


def page(
    connection: Connection, now: datetime, limit: int, *, user_id: str | None = None, after: Spot | None = None
) -> tuple[list[Waiting], bool]:
    """What waits (pending or blocked), and whether there is more.

    ``now``: the instant of the order; that of ``after`` wins. ``user_id``: only this user's entries, in their places
    among all; ``after``: only what stands behind that spot.
    """
    now = now if after is None else after.now
    columns = queue_entries.c
    is_not_due = (columns.unfinished_parents > 0) | columns.start_after.is_not(None)
    standing = case((columns.status == "blocked", 2), (is_not_due, 1), else_=0).label("standing")
    ranked = select(
        columns.job_id, columns.user_id, standing, _rank(now).label("rank"), _QUEUED.label("queued"), columns.queued_seq
    ).where(WAITING)  # fmt: skip
    one = ranked.subquery().c
    order = (one.standing, one.rank, one.queued, one.queued_seq)
    placed = select(*one, (func.row_number().over(order_by=order) - 1).label("ahead")).subquery()
    each = placed.c
    chosen = select(*each).order_by(each.ahead).limit(limit + 1)
    if user_id is not None:
        chosen = chosen.where(each.user_id == user_id)
    if after is not None:
        _now, *spot = after.as_place()
        chosen = chosen.where(
            tuple_(each.standing, each.rank, each.queued, each.queued_seq) > tuple_(*map(literal, spot))
        )
    page_ = chosen.subquery()  # so that sizes are asked of what is shown alone
    query = select(page_, SIZE).join_from(page_, jobs, jobs.c.job_id == page_.c.job_id).order_by(page_.c.ahead)
    rows, more = bounded(connection, query, limit)
    return [_waiting(row, now) for row in rows], more


def _waiting(row: Any, now: datetime) -> Waiting:
    spot = Spot(now, row.standing, row.rank, stored_instant(row.queued), row.queued_seq)
    return Waiting(row.job_id, spot, None if row.standing else row.ahead)


def _rank(now: datetime) -> ColumnElement[int]:
    """The negative of :func:`actors.jobs.levels.effective_priority`, which a test holds against it."""
    start = func.coalesce(queue_entries.c.priority_override, queue_entries.c.base_priority)
    waited = literal(microseconds(now), BigInteger) - _QUEUED
    aged = start + AGEING_STEP * (waited // _HOUR)
    return -case((start >= AGEING_CAP, start), (waited <= 0, start), (aged > AGEING_CAP, AGEING_CAP), else_=aged)
