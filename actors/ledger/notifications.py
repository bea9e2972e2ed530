"""The outbox: notifications are written in the transaction of their event, and delivered from their rows.

**Written** by :func:`note`, for each event of a job whose request names targets or whose user has defaults; for other
jobs nothing is read or written. The row exists if and only if the event does: a change that was rolled back has no
notification, and one that was committed has one, whatever happens afterwards.

**Delivered** by the notifier: :func:`due` says what may be sent, :func:`record` records the result. A process that dies
after a target has acknowledged a notification and before that is recorded sends it again, under the same id.

**Groups.** A failure of a job in a group is a notification of its own. Any end puts the group among those that are
awaited, and :func:`end_groups` writes one ``group_ended`` when all its jobs have ended.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs.events import EventType
from actors.jobs.notifications import (
    ENDS,
    Due,
    Notification,
    NotificationState,
    Outcome,
    after_try,
    content,
    digest_content,
    group_content,
    shortened,
    types_of,
    wanted_by,
)
from actors.jobs.notify_options import NotificationTarget, NotificationType, NotifyOptions, masked_address
from actors.jobs.pages import Cursors, Page
from actors.jobs.records import ACTIVE_JOBS, Event, Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import did_you_mean
from actors.jobs.views import TargetView
from actors.ledger.page_request import PageRequest
from actors.store import Transaction, notifications
from actors.store.transaction import passes_events_on
from logconf.masking import mask_text

passes_events_on(__file__)

MOST_DUE = 1_000
"""The most notifications of one target that are looked at together, and so of one digest."""

_ENDS_BY_APPROVAL = frozenset({EventType.APPROVAL_REJECTED, EventType.APPROVAL_EXPIRED})
_ACTIVE = sorted(status.value for status in ACTIVE_JOBS)


@attrs.define
class Outbox:
    """The configuration of notifications, whether something was written since the notifier last looked, and what a
    restarted notifier must know.

    ``has_news`` is set after COMMIT. ``awaits_groups``: the end of a job may be the last one of a group that is
    awaited. ``tried``: tries whose outcomes are not recorded yet. ``sent``: by target, when the messages of the last
    minute were begun (trio's time). ``failures``: cycles that failed in a row.
    """

    options: NotifyOptions = attrs.field(factory=NotifyOptions)
    has_news: bool = True
    awaits_groups: bool = False
    tried: list[Tried] = attrs.field(factory=list)
    sent: defaultdict[str, deque[float]] = attrs.field(factory=lambda: defaultdict(deque))
    failures: int = 0

    def _note_news(self) -> None:
        self.has_news = True

    def wakes(self, event: Event) -> bool:
        """Whether the notifier must look after ``event`` was committed."""
        if self.has_news or event.type == EventType.NOTIFICATION_TARGET_ENABLED:
            return True
        return self.awaits_groups and (event.is_end or event.type in _ENDS_BY_APPROVAL)

    def note(self, tx: Transaction, job: Job, event: EventType, data: Mapping[str, Any]) -> None:
        """Write the notifications of an event of ``job``, in the transaction that changed the job."""
        request = job.request
        asked = self.options.asked(request.notify, request.user_id)
        types = types_of(event, data) if asked else ()
        for type_ in types:
            for target in wanted_by(self.options, asked, type_):
                _write(tx, job, type_, target, data)
        if request.group is not None and ENDS.intersection(types):
            self._await_group(tx, request.user_id, request.group, asked)
        if types:
            tx.after_commit(self._note_news)

    def _await_group(self, tx: Transaction, user_id: str, group: str, asked: Iterable[str]) -> None:
        for target in asked:
            known = self.options.targets.get(target)
            if known is None or known.wants_groups:
                notifications.await_group(tx.connection, user_id, group, target)


def _write(tx: Transaction, job: Job, type_: NotificationType, target: str, data: Mapping[str, Any]) -> None:
    group = job.request.group
    if group is not None and type_ in ENDS and type_ is not NotificationType.FAILED:
        return
    reason = _reason(job, type_, data)
    body = content(type_, job, tx.now, None if reason is None else mask_text(reason))
    notifications.add(tx.connection, target, type_, body, tx.now, job.job_id)


def _reason(job: Job, type_: NotificationType, data: Mapping[str, Any]) -> str | None:
    if type_ in ENDS:
        return job.error_message
    if type_ is NotificationType.UNCERTAIN:
        return job.uncertain_reason
    if type_ is NotificationType.APPROVAL_DECIDED:
        return job.error_message or f"Approved by {data.get('by')}"
    found = data.get("reason")
    return found if isinstance(found, str) else None


# For the notifier.


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


# For people.


def page(
    connection: Connection, request: PageRequest, target: str | None, state: NotificationState | None
) -> Page[Notification]:
    """Notifications, newest first."""
    request.check()
    cursors = Cursors[Notification]("notifications", request.caller, target, state)
    place = cursors.read(request.cursor, int)
    before = None if place is None else int(place[0])
    found, more = notifications.page(connection, limit=request.limit, before=before, target=target, state=state)
    return Page(found, more=more, cursor=lambda one: cursors.write((one.notification_id,)))


def targets(connection: Connection, options: NotifyOptions) -> list[TargetView]:
    """The configured targets, and others for which something waits or that are disabled, by name."""
    waiting, off = notifications.waiting(connection), notifications.disabled(connection)
    return [
        _target_view(name, options.targets.get(name), waiting.get(name), off.get(name))
        for name in sorted({*options.targets, *waiting, *off})
    ]


def _target_view(
    name: str,
    target: NotificationTarget | None,
    waiting: tuple[int, datetime] | None,
    off: notifications.DisabledTarget | None,
) -> TargetView:
    url = None if target is None else target.url
    return TargetView(
        name,
        configured=target is not None,
        address=None if url is None else masked_address(url),
        format=None if target is None else target.format,
        on=() if target is None else target.on,
        waiting=0 if waiting is None else waiting[0],
        waiting_since=None if waiting is None else waiting[1],
        disabled_reason=None if off is None else off.disabled_reason,
        disabled_at=None if off is None else off.disabled_at,
    )


def unhealthy(connection: Connection) -> list[str]:
    """A reason for each target that is disabled."""
    return [
        f"notification target {name} is disabled ({one.disabled_reason}): greenroom notifications enable {name}"
        for name, one in notifications.disabled(connection).items()
    ]


def enable(tx: Transaction, name: str, known: Iterable[str], *, by: str) -> None:
    """Send to a disabled target again, at once what waits for it. Raises :class:`Refused` for an unknown name."""
    names = {*known, *notifications.waiting_targets(tx.connection)}
    if name not in names and name not in notifications.disabled(tx.connection):
        message = f"there is no notification target {name!r:.80}{did_you_mean(name[:80], sorted(names))}"
        raise Refused(message, RefusalKind.NOT_FOUND, "name")
    notifications.enable(tx.connection, name, tx.now)
    tx.emit(EventType.NOTIFICATION_TARGET_ENABLED, None, tx.correlation_id, target=name, by=by)
