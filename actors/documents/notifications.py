"""Notifications and their targets."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from actors.documents.common import from_fields
from actors.jobs.notifications import Notification
from actors.jobs.views import TargetView


class NotificationDocument(TypedDict):
    """A notification and its state. ``message_id``: what the target gets as ``webhook-id``.

    ``state``: pending, delivered, given_up, or merged into the digest ``merged_into``. ``job_id``: null for a digest
    and for the end of a group; ``name``: the job's, if it has one. ``next_try_at``: null if it is not pending, or if an
    earlier notification of its job is still to be sent.
    """

    notification_id: int
    job_id: str | None
    name: str | None
    target: str
    type: str
    state: str
    tries: int
    created_at: datetime | None
    next_try_at: datetime | None
    finished_at: datetime | None
    last_error: str | None
    merged_into: int | None
    message_id: str


def notification_document(one: Notification) -> NotificationDocument:
    """A notification and its state."""
    return from_fields(NotificationDocument, one)


class NotificationsDocument(TypedDict):
    """A page of notifications, newest first. ``next``: the ``cursor`` of the next page; null: this is the last."""

    notifications: list[NotificationDocument]
    next: str | None


class TargetsDocument(TypedDict):
    """The targets of notifications."""

    targets: list[TargetView]
