"""The outbox: notifications are written in the transaction of their event, and delivered from their rows.

**Written** by :func:`note`, for each event of a job whose request names targets or whose user has defaults; for other
jobs nothing is read or written. The row exists if and only if the event does: a change that was rolled back has no
notification, and one that was committed has one, whatever happens afterwards.

**Delivered** by the notifier (:mod:`actors.ledger.notifying`). A process that dies after a target has acknowledged a
notification and before that is recorded sends it again, under the same id.

**Groups.** A failure of a job in a group is a notification of its own. Any end puts the group among those that are
awaited; when all its jobs have ended, one ``group_ended`` is written.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs.events import EventType
from actors.jobs.notifications import (
    ENDS,
    Notification,
    NotificationState,
    content,
    types_of,
    wanted_by,
)
from actors.jobs.notify_options import NotificationTarget, NotificationType, NotifyOptions, masked_address
from actors.jobs.pages import Cursors, Page
from actors.jobs.records import Event, Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import did_you_mean
from actors.jobs.views import TargetView
from actors.ledger.notifying import Tried
from actors.ledger.page_request import PageRequest
from actors.store import Transaction, notifications
from actors.store.transaction import passes_events_on
from logconf.masking import mask_text

passes_events_on(__file__)

_ENDS_BY_APPROVAL = frozenset({EventType.APPROVAL_REJECTED, EventType.APPROVAL_EXPIRED})


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
