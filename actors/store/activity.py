"""What changed in each of the last minutes, counted from rows by their indexes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, type_coerce

from actors.jobs.activity import MINUTES, WIDTH, Changes
from actors.jobs.ids import earliest
from actors.jobs.statuses import QueueStatus
from actors.store import queue
from actors.store.dialect import unindexed
from actors.store.schema import jobs
from actors.store.types import microseconds

_WIDTH = WIDTH // type(WIDTH)(microseconds=1)


def changes(connection: Connection, since: datetime, user_id: str | None) -> list[Changes]:
    """What happened in each of the :data:`~actors.jobs.activity.MINUTES` from ``since`` on; later is the last one's.

    ``user_id``: only to jobs of this user.
    """
    numbers: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    mine = [] if user_id is None else [unindexed(jobs.c.user_id) == user_id]
    made = (jobs.c.job_id >= earliest(since)) & (unindexed(jobs.c.created_at) >= since)
    for minute, number in _counted(connection, jobs.c.created_at, since, [made, *mine]):
        numbers[minute]["made"] += number
    for minute, number in _counted(connection, jobs.c.started_at, since, [jobs.c.started_at >= since, *mine]):
        numbers[minute]["started"] += number
    ends = (unindexed(jobs.c.status), unindexed(jobs.c.started_at).is_(None))
    ended = [jobs.c.completed_at >= since, *mine]
    for minute, status, unstarted, number in _counted(connection, jobs.c.completed_at, since, ended, ends):
        if status in ("completed", "failed", "cancelled"):
            numbers[minute][status] += number
            numbers[minute]["unstarted"] += number if unstarted else 0
    return [Changes(**numbers[minute]) for minute in range(MINUTES)]


def _counted(
    connection: Connection,
    moment: ColumnElement[Any],
    since: datetime,
    fits: Iterable[ColumnElement[bool]],
    by: Iterable[ColumnElement[Any]] = (),
) -> Iterable[Any]:
    minute = func.min((type_coerce(moment, BigInteger) - microseconds(since)) // _WIDTH, MINUTES - 1).label("minute")
    columns = [minute, *(column.label(f"by_{number}") for number, column in enumerate(by))]
    return connection.execute(select(*columns, func.count()).where(*fits).group_by(*columns))


def numbers_now(connection: Connection, user_id: str | None) -> tuple[int, int, int]:
    """How many jobs wait, how many of these for an approval, and how many run; ``user_id``: only this user's."""
    if user_id is None:
        counts = queue.counts(connection)
        blocked = counts.get(QueueStatus.BLOCKED, 0)
        return counts.get(QueueStatus.PENDING, 0) + blocked, blocked, counts.get(QueueStatus.RUNNING, 0)
    waiting, blocked = queue.number_waiting(connection, user_id), queue.number_blocked(connection, user_id)
    return waiting, blocked, sum(one.count for one in queue.running(connection) if one.user_id == user_id)
