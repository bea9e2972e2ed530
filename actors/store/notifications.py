"""Rows of the outbox: notifications that are to be delivered, targets that are disabled, groups that have not ended.

Of the notifications of one job to one target at most the first that has not ended has a ``next_try_at``; those behind
it have none, and get one when the one before them ends. So what is due is found by one index, and stands in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update
from sqlalchemy import delete as delete_from

from actors.jobs.notifications import Due, Notification, NotificationState
from actors.jobs.notify_options import NotificationType
from actors.store.dialect import insert_or_ignore, unindexed
from actors.store.paging import bounded, stored_size
from actors.store.prepared import Prepared
from actors.store.rows import read_all
from actors.store.schema import jobs, notification_groups, notification_targets, notifications
from actors.store.types import or_none

_C = notifications.c
_TYPES = frozenset(NotificationType)
_NOT_ENDED = _C.finished_at.is_(None)
_IS_DUE = _C.next_try_at.is_not(None)
_TARGET: ColumnElement[str] = bindparam("target")


def _same(column: Any, name: str) -> Any:
    return column == bindparam(name)


# Writing.

_BEFORE = Prepared(
    select(_C.notification_id).where(_same(_C.job_id, "job_id"), _C.target == _TARGET, _NOT_ENDED).limit(1)
)
_NEW = Prepared(
    insert(notifications).returning(_C.notification_id),
    [column.name for column in _C if column is not _C.notification_id],
)
_ONE = Prepared(update(notifications).where(_same(_C.notification_id, "this")))


def add(
    connection: Connection,
    target: str,
    type_: NotificationType,
    body: Mapping[str, Any],
    now: datetime,
    job_id: str | None = None,
) -> int:
    """Write a notification, behind those of its job and target that have not ended; its number."""
    behind = job_id is not None and _BEFORE.one(connection, job_id=job_id, target=target) is not None
    row = {
        "job_id": job_id, "target": target, "type": type_.value, "body": body, "created_at": now,
        "state": NotificationState.PENDING.value, "tries": 0, "next_try_at": None if behind else now,
        "wait_seconds": None if behind else 0.0, "waited_seconds": 0.0, "last_error": None, "finished_at": None,
        "merged_into": None,
    }  # fmt: skip
    found = _NEW.one(connection, **row)
    assert found is not None
    return int(found[0])


def change(connection: Connection, notification_id: int, **changes: Any) -> None:
    """Change a notification."""
    if "state" in changes:
        changes["state"] = changes["state"].value
    _ONE.writing(changes).run(connection, this=notification_id, **changes)


_NEXT = Prepared(
    select(func.min(_C.notification_id)).where(_same(_C.job_id, "job_id"), _C.target == _TARGET, _NOT_ENDED)
)
_MERGED = Prepared(
    select(_C.notification_id, _C.job_id).where(_same(_C.merged_into, "digest"), _C.merged_into.is_not(None))
)


def end(connection: Connection, one: Notification, state: NotificationState, now: datetime, **changes: Any) -> None:
    """End a notification and, with a digest, all for which it stands; those that stood behind them are due now."""
    ended = {"state": state, "finished_at": now, "next_try_at": None, "wait_seconds": None}
    change(connection, one.notification_id, **ended, **changes)
    behind = [one.job_id]
    if one.type is NotificationType.DIGEST:
        for number, job_id in _MERGED.all(connection, digest=one.notification_id):
            change(connection, number, **ended)
            behind.append(job_id)
    for job_id in behind:
        _let_follow(connection, job_id, one.target, now)


_PLACE = Prepared(select(_C.job_id, _C.target).where(_same(_C.notification_id, "this"), _NOT_ENDED))


def end_damaged(connection: Connection, number: int, now: datetime) -> None:
    """Give a notification up whose row cannot be read, so that those behind it are sent."""
    place = _PLACE.one(connection, this=number)
    if place is not None:
        ended = {"finished_at": now, "next_try_at": None, "wait_seconds": None, "last_error": "its row is damaged"}
        change(connection, number, state=NotificationState.GIVEN_UP, **ended)
        job_id, target = place
        _let_follow(connection, job_id, target, now)


def _let_follow(connection: Connection, job_id: str | None, target: str, now: datetime) -> None:
    following = None if job_id is None else _NEXT.one(connection, job_id=job_id, target=target)
    if following is not None and following[0] is not None:
        change(connection, following[0], next_try_at=now, wait_seconds=0.0)


def end_all(connection: Connection, now: datetime, why: str) -> int:
    """End everything that was not delivered, as given up; how many there were."""
    ended = {"state": NotificationState.GIVEN_UP.value, "finished_at": now, "next_try_at": None, "last_error": why}
    return int(connection.execute(update(notifications).where(_NOT_ENDED).values(**ended)).rowcount)


# Reading.

_THESE = Prepared(
    select(notifications).where(_C.notification_id.in_(bindparam("these", expanding=True))).order_by(_C.notification_id)
)
_NEXT_TARGET = Prepared(select(func.min(_C.target)).where(_IS_DUE, _C.target > bindparam("after")))
_DUE = Prepared(
    select(_C.notification_id, _C.target, _C.type, _C.tries)
    .where(_IS_DUE, _C.target == _TARGET, _C.next_try_at <= bindparam("now", type_=_C.next_try_at.type))
    .order_by(_C.next_try_at, _C.notification_id)
    .limit(bindparam("most"))
)
_NEXT_DUE = Prepared(
    select(func.min(_C.next_try_at)).where(
        _IS_DUE, _C.target == _TARGET, _C.next_try_at > bindparam("now", type_=_C.next_try_at.type)
    )
)
_OF_JOB = Prepared(
    select(notifications).where(_same(_C.job_id, "job_id")).order_by(_C.notification_id.desc()).limit(bindparam("most"))
)


def get_many(connection: Connection, these: Iterable[int]) -> list[Notification]:
    """The notifications of these numbers; damaged ones are left out and reported."""
    return read_all(Notification, _THESE.dicts(connection, these=these))


def waiting_targets(connection: Connection) -> list[str]:
    """The targets of all that is due now or later, by name: one step in the index for each."""
    found: list[str] = []
    while True:
        row = _NEXT_TARGET.one(connection, after=found[-1] if found else "")
        if row is None or row[0] is None:
            return found
        found.append(row[0])


def due(connection: Connection, target: str, now: datetime, most: int) -> list[Due]:
    """What may be sent to a target now, what became due first at the beginning."""
    return [
        Due(number, name, NotificationType(type_), tries)
        for number, name, type_, tries in _DUE.all(connection, target=target, now=now, most=most)
        if type_ in _TYPES  # else its row is damaged
    ]


def next_due(connection: Connection, target: str, now: datetime) -> datetime | None:
    """When something becomes due for a target that is not so now."""
    row = _NEXT_DUE.one(connection, target=target, now=now)
    return None if row is None else or_none(row[0])


def of_job(connection: Connection, job_id: str, most: int) -> list[Notification]:
    """The newest notifications of a job, the oldest of them first."""
    return read_all(Notification, _OF_JOB.dicts(connection, job_id=job_id, most=most))[::-1]


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None,
    target: str | None = None,
    state: NotificationState | None = None,
) -> tuple[list[Notification], bool]:
    """Notifications, newest first, and whether there are more; only those ``before`` that number."""
    query = select(notifications, stored_size(_C.body)).order_by(_C.notification_id.desc())
    if before is not None:
        query = query.where(_C.notification_id < before)
    if target is not None:
        query = query.where(_C.target == target)
    if state is not None:
        query = query.where((_C.state if target is None else unindexed(_C.state)) == state.value)
    found, more = bounded(connection, query, limit)
    return read_all(Notification, found), more


# Targets.


@attrs.frozen
class DisabledTarget:
    """A target that asked to be sent nothing more: since when, and in which words."""

    name: str
    disabled_reason: str
    disabled_at: datetime


_DISABLED = Prepared(select(notification_targets).order_by(notification_targets.c.name))
_FORWARD = Prepared(
    update(notifications)
    .where(_IS_DUE, _C.target == _TARGET)
    .values(next_try_at=bindparam("at", type_=_C.next_try_at.type), wait_seconds=0.0)
)
_WAITING = Prepared(
    select(_C.target, func.count(), func.min(_C.created_at)).where(_IS_DUE).group_by(_C.target).order_by(_C.target)
)


_ENABLED = Prepared(delete_from(notification_targets).where(_same(notification_targets.c.name, "name")))


def disabled(connection: Connection) -> dict[str, DisabledTarget]:
    """The targets that are disabled, by name."""
    return {one.name: one for one in read_all(DisabledTarget, _DISABLED.dicts(connection))}


def disable(connection: Connection, name: str, reason: str, now: datetime) -> bool:
    """Disable a target; False: it was so already."""
    row = {"name": name, "disabled_reason": reason, "disabled_at": now}
    return connection.execute(insert_or_ignore(notification_targets).values(**row)).rowcount == 1


def enable(connection: Connection, name: str, now: datetime) -> bool:
    """Enable a target again, and let what waits for it be tried now. False: it was not disabled."""
    was_disabled = _ENABLED.run(connection, name=name)
    _FORWARD.run(connection, target=name, at=now)
    return was_disabled == 1


def waiting(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """For each target with something that waits: how many are first in their order, and since when the oldest."""
    return {target: (number, oldest) for target, number, oldest in _WAITING.all(connection)}


# Groups.

_UNFINISHED = Prepared(
    select(jobs.c.job_id)
    .where(
        jobs.c.user_id == bindparam("user_id"),
        jobs.c.group_name == bindparam("group_name"),
        jobs.c.status.in_(bindparam("active", expanding=True)),
    )
    .limit(1)
)
_COUNTS = Prepared(
    select(jobs.c.status, func.count())
    .where(jobs.c.user_id == bindparam("user_id"), jobs.c.group_name == bindparam("group_name"))
    .group_by(jobs.c.status)
)
_GROUPS = Prepared(select(notification_groups))
_ADD_GROUP = Prepared(insert_or_ignore(notification_groups))
_DROP_GROUP = Prepared(
    delete_from(notification_groups).where(
        notification_groups.c.user_id == bindparam("user_id"),
        notification_groups.c.group_name == bindparam("group_name"),
        notification_groups.c.target == _TARGET,
    )
)


def await_group(connection: Connection, user_id: str, group: str, target: str) -> None:
    """When this group has ended, ``target`` is sent its end."""
    _ADD_GROUP.run(connection, user_id=user_id, group_name=group, target=target)


def awaited_groups(connection: Connection) -> list[tuple[str, str, str]]:
    """User, group and target of each end that is to be sent."""
    return [(user, group, target) for user, group, target in _GROUPS.all(connection)]


def has_ended(connection: Connection, user_id: str, group: str, active: Iterable[str]) -> bool:
    """Whether no job of this group is in one of the ``active`` statuses."""
    return _UNFINISHED.one(connection, user_id=user_id, group_name=group, active=active) is None


def counts_of(connection: Connection, user_id: str, group: str) -> dict[str, int]:
    """How many jobs of this group are in which status."""
    return dict(_COUNTS.all(connection, user_id=user_id, group_name=group))


def drop_group(connection: Connection, user_id: str, group: str, target: str) -> None:
    """The end of this group was written for this target."""
    _DROP_GROUP.run(connection, user_id=user_id, group_name=group, target=target)
