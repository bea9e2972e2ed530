"""What the notifier reads and writes: notifications that are due, the results of tries, digests, ends of groups.

A notification with a damaged row is given up, because nobody knows what it says; it must not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs.events import EventType
from actors.jobs.notifications import (
    Due,
    Notification,
    NotificationState,
    Outcome,
    after_try,
    digest_content,
    group_content,
    shortened,
)
from actors.jobs.notify_options import NotificationType
from actors.jobs.records import ACTIVE_JOBS
from actors.store import Transaction, notifications
from logconf.masking import mask_text

MOST_DUE = 1_000
"""The most notifications of one target that are looked at together, and so of one digest."""
_ACTIVE = sorted(status.value for status in ACTIVE_JOBS)


@attrs.frozen
class Waiting:
    """What waits to be sent to one target: what is ``due``, and when more will be."""

    target: str
    due: tuple[Due, ...]
    next_at: datetime | None


@attrs.frozen
class Look:
    """What is to be done: waiting notifications by target; whether ends of groups are awaited, and whether one has
    come.
    """

    waiting: tuple[Waiting, ...]
    awaits_groups: bool
    has_ended_group: bool


def look(connection: Connection, now: datetime, full: Iterable[str] = ()) -> Look:
    """What is to be done now; nothing is read of targets that are ``full``."""
    busy = set(full)
    groups = {(user_id, group) for user_id, group, _ in notifications.awaited_groups(connection)}
    found = [
        Waiting(
            target,
            tuple(notifications.due(connection, target, now, MOST_DUE)),
            notifications.next_due(connection, target, now),
        )
        for target in notifications.waiting_targets(connection)
        if target not in busy
    ]
    ended = any(notifications.has_ended(connection, *group, _ACTIVE) for group in groups)
    return Look(tuple(found), bool(groups), ended)


def to_send(connection: Connection, these: Sequence[int]) -> tuple[list[Notification], Mapping[str, str]]:
    """The notifications of these numbers that have not ended, without damaged ones; and of each disabled target, why
    it is.
    """
    found = notifications.get_many(connection, these)
    off = {name: one.disabled_reason for name, one in notifications.disabled(connection).items()}
    return [one for one in found if one.state is NotificationState.PENDING], off


@attrs.frozen
class Tried:
    """One try, and its result."""

    notification_id: int
    outcome: Outcome


@attrs.frozen
class RecordedTry:
    """The state of a notification after a try, for the log."""

    notification: Notification
    state: NotificationState
    wait: float | None
    failure: str | None


def record(tx: Transaction, tried: Sequence[Tried], *, jitter: Callable[[], float]) -> list[RecordedTry]:
    """Record the results of tries. A notification that ended meanwhile, or was removed with its job, is left out."""
    found = notifications.get_many(tx.connection, [one.notification_id for one in tried])
    by_number = {one.notification_id: one for one in found if one.state is NotificationState.PENDING}
    return [
        _record(tx, by_number[one.notification_id], one.outcome, jitter)
        for one in tried
        if one.notification_id in by_number
    ]


def _record(tx: Transaction, one: Notification, outcome: Outcome, jitter: Callable[[], float]) -> RecordedTry:
    failure = None if outcome.failure is None else shortened(mask_text(outcome.failure))
    verdict = after_try(one.tries, one.waited_seconds, outcome, jitter)
    changes: dict[str, Any] = {"tries": one.tries + 1, "last_error": failure}
    if outcome.disables and notifications.disable(tx.connection, one.target, failure or "", tx.now):
        tx.emit(EventType.NOTIFICATION_TARGET_DISABLED, None, tx.correlation_id, target=one.target, reason=failure)
    if verdict.wait is None:
        notifications.end(tx.connection, one, verdict.state, tx.now, **changes)
    else:
        at = tx.now + timedelta(seconds=verdict.wait)
        waited = one.waited_seconds + verdict.wait
        changes |= {"next_try_at": at, "wait_seconds": verdict.wait, "waited_seconds": waited}
        notifications.change(tx.connection, one.notification_id, **changes)
    return RecordedTry(one, verdict.state, verdict.wait, failure)


def merge(tx: Transaction, target: str, these: Sequence[int]) -> None:
    """Merge these notifications, which are due and were not tried, into one digest."""
    rows = {one.notification_id: one.body for one in notifications.get_many(tx.connection, these)}
    give_up_damaged(tx, [number for number in these if number not in rows])
    if not rows:
        return
    body = digest_content([rows[number] for number in these if number in rows], tx.now)
    digest = notifications.add(tx.connection, target, NotificationType.DIGEST, body, tx.now)
    merged = {"state": NotificationState.MERGED, "next_try_at": None, "wait_seconds": None, "merged_into": digest}
    for number in rows:
        notifications.change(tx.connection, number, **merged)


def give_up_damaged(tx: Transaction, these: Sequence[int]) -> None:
    """Give up those of these notifications whose rows are damaged: nobody knows what they say."""
    readable = {one.notification_id for one in notifications.get_many(tx.connection, these)}
    for number in these:
        if number not in readable:
            notifications.end_damaged(tx.connection, number, tx.now)


def end_groups(tx: Transaction) -> None:
    """Write the end of each awaited group whose jobs have all ended."""
    for user_id, group, target in notifications.awaited_groups(tx.connection):
        if not notifications.has_ended(tx.connection, user_id, group, _ACTIVE):
            continue
        counts = notifications.counts_of(tx.connection, user_id, group)
        body = group_content(user_id, group, counts, tx.now)
        notifications.add(tx.connection, target, NotificationType.GROUP_ENDED, body, tx.now)
        notifications.drop_group(tx.connection, user_id, group, target)
