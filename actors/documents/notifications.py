"""Notifications and their targets."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.common import Moment, from_fields
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
    created_at: Moment | None
    next_try_at: Moment | None
    finished_at: Moment | None
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


class TargetDocument(TypedDict):
    """A target. ``address``: scheme and host; null for a command. ``on``: the types of notifications that it gets.

    ``configured``: false if it is no longer in the configuration. ``waiting``: how many jobs have notifications that
    wait for it, the oldest since ``waiting_since``. ``disabled_reason``: why nothing is sent to it; null if it is
    enabled.
    """

    name: str
    configured: bool
    address: str | None
    format: str | None
    on: list[str]
    waiting: int
    waiting_since: Moment | None
    disabled_reason: str | None
    disabled_at: Moment | None


def target_document(view: TargetView) -> TargetDocument:
    """A target of notifications."""
    return from_fields(TargetDocument, view)


class TargetsDocument(TypedDict):
    """The targets of notifications."""

    targets: list[TargetDocument]


def targets_document(views: list[TargetView]) -> TargetsDocument:
    """The targets of notifications."""
    return {"targets": [target_document(one) for one in views]}
