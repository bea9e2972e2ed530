"""Notifications: which events cause one, its content, what follows from a try to deliver it, and what is sent now.

The actor around this is :mod:`actors.notifier`. **Order.** Of the notifications of one job to one target only the first
that has not ended may be sent; the next follows when that one was acknowledged or given up. **At least once.** A try
whose answer is lost is repeated under the same id. **Waits** are relative: a length together with an instant, which
moves with the wall clock; when to give up is counted in seconds waited, so a step of the clock ends nothing early.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs

from actors.jobs.events import EventType
from actors.jobs.notify_options import NotificationType, NotifyOptions
from actors.jobs.records import Job
from actors.jobs.retry import growing

FIRST_DELAY = 5.0
LONGEST_DELAY = 3_600.0
"""Seconds before the second try, and at the most before a later one."""

GIVE_UP_AFTER = 86_400.0
"""Seconds of waiting after which a notification is given up."""

AT_ONCE = 4
"""Deliveries to one target at the same time. Each target has its own: one that is slow delays no other."""

MINUTE = 60.0
REASON = 500
"""Characters of a reason in a notification, of a failure that is shown."""
SHOWN_IN_DIGEST = 50
"""Notifications that a digest lists; the others are counted."""

_ENDS = {"completed": NotificationType.COMPLETED, "failed": NotificationType.FAILED}
_ENDS["cancelled"] = NotificationType.CANCELLED
_BY_EVENT: Mapping[str, tuple[NotificationType, ...]] = {
    "approval_requested": (NotificationType.APPROVAL_REQUESTED,),
    "approval_granted": (NotificationType.APPROVAL_DECIDED,),
    "approval_rejected": (NotificationType.APPROVAL_DECIDED, NotificationType.CANCELLED),
    "approval_expired": (NotificationType.APPROVAL_DECIDED, NotificationType.CANCELLED),
    "job_uncertain": (NotificationType.UNCERTAIN,),
    "job_rerun": (NotificationType.RERUN,),
}
_NAMES = ("job_id", "name", "user_id", "group", "status", "started_at", "completed_at", "exit_code", "reason")


class NotificationState(StrEnum):
    """The state of a notification. ``MERGED``: it is part of a digest, and ends with it."""

    PENDING = "pending"
    MERGED = "merged"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@attrs.frozen
class Notification:
    """A row of the outbox. ``body``: what it says. ``next_try_at``: None while an earlier one of its job stands before.

    ``wait_seconds``: the length of the wait that ends then; ``waited_seconds``: of all waits so far. ``job_id``: None
    for the end of a group and for a digest.
    """

    notification_id: int
    job_id: str | None
    target: str
    type: NotificationType
    body: Mapping[str, Any]
    created_at: datetime
    state: NotificationState
    tries: int = 0
    next_try_at: datetime | None = None
    wait_seconds: float | None = None
    waited_seconds: float = 0.0
    last_error: str | None = None
    finished_at: datetime | None = None
    merged_into: int | None = None

    @property
    def message_id(self) -> str:
        """The ``webhook-id``: the same at each try, and of no other notification, of another database either."""
        parts = (self.job_id, self.target, self.type.value, self.created_at.isoformat(), self.notification_id)
        return f"msg_{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"

    @property
    def correlation_id(self) -> str | None:
        """Of its job; None where it is about no single one."""
        return self._text("correlation_id")

    @property
    def name(self) -> str | None:
        """Of its job; None where that has none, or it is about no single one."""
        return self._text("name")

    def _text(self, key: str) -> str | None:
        found = self.body.get("data", {}).get(key)
        return found if isinstance(found, str) else None


def types_of(event: EventType, data: Mapping[str, Any]) -> tuple[NotificationType, ...]:
    """What an event with its ``data`` is in notifications, in the order in which they are sent."""
    if event is not EventType.JOB_STATUS_CHANGED:
        return _BY_EVENT.get(event.value, ())
    status = data.get("status")
    if status == "running":
        return (NotificationType.STARTED,)
    return (_ENDS[status],) if status in _ENDS else ()


ENDS = frozenset(_ENDS.values())
"""The types that tell of the end of a job. Of a group's jobs only failures are sent singly."""


def content(type_: NotificationType, job: Job, now: datetime, reason: str | None) -> dict[str, Any]:
    """What a notification of one job says: never its environment, command or parameters."""
    return {
        "type": type_.value,
        "timestamp": _moment(now),
        "data": {
            "job_id": job.job_id,
            "name": job.request.config_name,
            "user_id": job.request.user_id,
            "group": job.request.group,
            "status": job.status.value,
            "started_at": _moment(job.started_at),
            "completed_at": _moment(job.completed_at),
            "exit_code": job.exit_code,
            "reason": None if reason is None else shortened(reason),
            "correlation_id": job.correlation_id,
        },
    }


def group_content(user_id: str, group: str, counts: Mapping[str, int], now: datetime) -> dict[str, Any]:
    """What the end of a group says; ``counts``: its jobs by status."""
    about = {"user_id": user_id, "group": group, "counts": dict(sorted(counts.items()))}
    return _about_many(NotificationType.GROUP_ENDED, now, about)


def digest_content(merged: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """What one message for many says: how many of which type, and the first of them."""
    counts = Counter(str(one.get("type")) for one in merged)
    listed = [{"type": one.get("type"), **one.get("data", {})} for one in merged[:SHOWN_IN_DIGEST]]
    about = {"counts": dict(sorted(counts.items())), "notifications": listed, "left_out": len(merged) - len(listed)}
    return _about_many(NotificationType.DIGEST, now, about)


def _about_many(type_: NotificationType, now: datetime, about: Mapping[str, Any]) -> dict[str, Any]:
    data = {**dict.fromkeys((*_NAMES, "correlation_id")), **about}
    return {"type": type_.value, "timestamp": _moment(now), "data": data}


def shortened(text: str) -> str:
    """``text`` in at most 500 characters."""
    return text if len(text) <= REASON else f"{text[: REASON - 1]}\N{HORIZONTAL ELLIPSIS}"


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Trying.


@attrs.frozen
class Outcome:
    """The result of one try. ``failure``: why it failed, None: it was acknowledged.

    ``final``: no further try can succeed. ``disables``: the target asked for no more messages. ``retry_after``: seconds
    for which it asked for no messages.
    """

    failure: str | None = None
    final: bool = False
    disables: bool = False
    retry_after: float | None = None


@attrs.frozen
class TryVerdict:
    """The state of a notification after a try. ``wait``: seconds until the next try, if it is still pending."""

    state: NotificationState
    wait: float | None = None


def after_try(tries: int, waited: float, outcome: Outcome, jitter: Callable[[], float]) -> TryVerdict:
    """The verdict on one try; ``tries`` and ``waited`` (s) are those before it."""
    if outcome.failure is None:
        return TryVerdict(NotificationState.DELIVERED)
    left = GIVE_UP_AFTER - waited
    if outcome.final or left <= 0:
        return TryVerdict(NotificationState.GIVEN_UP)
    wait = growing(FIRST_DELAY, LONGEST_DELAY, tries, jitter)
    if outcome.retry_after is not None and math.isfinite(outcome.retry_after):
        wait = max(wait, min(outcome.retry_after, LONGEST_DELAY))
    return TryVerdict(NotificationState.PENDING, min(wait, left))


# Sending.


@attrs.frozen
class Due:
    """A notification that may be sent now, as far as it alone is concerned."""

    notification_id: int
    target: str
    type: NotificationType
    tries: int


@attrs.frozen
class Plan:
    """What to do with what is due for one target: which to ``send``, which become one ``digest``.

    ``look_again``: when more may be sent, where the rate is all that holds it back; None: nothing does.
    """

    send: tuple[Due, ...] = ()
    digest: tuple[Due, ...] = ()
    look_again: float | None = None


def plan(due: Sequence[Due], in_flight: int, sent: Iterable[float], now: float, per_minute: int) -> Plan:
    """What is sent to one target now. ``due``: oldest first. ``sent``: when its last messages were begun (s).

    Each try takes a place of the rate. Of what goes beyond it, what was never tried becomes one digest, which takes the
    last place of this minute and comes first in the next plan; tries to be made again wait.
    """
    free = AT_ONCE - in_flight
    if free <= 0 or not due:
        return Plan()
    recent = sorted(at for at in sent if at + MINUTE > now)
    places = per_minute - len(recent)
    is_digest = NotificationType.DIGEST
    ordered = sorted(due, key=lambda one: one.type is not is_digest)
    if len(ordered) <= places:
        return Plan(send=tuple(ordered[:free]))
    look_again = recent[0] + MINUTE if recent else None
    if places <= 0:
        return Plan(look_again=look_again)
    digest = tuple(one for one in ordered[places - 1 :] if not one.tries and one.type is not is_digest)
    if len(digest) < 2:
        return Plan(send=tuple(ordered[:places][:free]), look_again=look_again)
    return Plan(send=tuple(ordered[: places - 1][:free]), digest=digest, look_again=look_again)


def wanted_by(options: NotifyOptions, asked: tuple[str, ...], type_: NotificationType) -> list[str]:
    """The targets of ``asked`` that get notifications of ``type_``; one that is not configured now may be
    configured again.
    """
    return [name for name in asked if (one := options.targets.get(name)) is None or one.wants(type_)]
