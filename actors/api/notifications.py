"""Routes about notifications and their targets."""

from __future__ import annotations

import attrs
from attrs.validators import ge, le

from actors.access.permission import ADMIN, LEAD
from actors.api.answers import page_document
from actors.api.route import Call, Nothing, route
from actors.documents.notifications import NotificationsDocument, TargetsDocument, notification_document
from actors.jobs import maxima
from actors.jobs.maximum import Text
from actors.jobs.notifications import NotificationState


@attrs.frozen
class NotificationsQuery:
    """Which notifications to list, and at most how many. ``cursor``: ``next`` of the page before, of the same
    filters.
    """

    target: str | None = attrs.field(default=None, validator=Text(maxima.NAME))
    state: NotificationState | None = None
    cursor: str | None = attrs.field(default=None, validator=Text(maxima.CURSOR))
    limit: int = attrs.field(default=100, validator=[ge(1), le(maxima.ROWS)])


async def listing(call: Call[Nothing, NotificationsQuery]) -> NotificationsDocument:
    """List notifications, newest first."""
    asked = call.query
    found = await call.reading.notifications.page(
        target=asked.target, state=asked.state, limit=asked.limit, cursor=asked.cursor, caller=call.by
    )
    return page_document(NotificationsDocument, "notifications", found, notification_document)


async def targets(call: Call[Nothing, Nothing]) -> TargetsDocument:
    """List the targets, how many notifications wait for each, and which are disabled."""
    return {"targets": await call.reading.notifications.targets()}


async def enable(call: Call[Nothing, Nothing]) -> TargetsDocument:
    """Send to a disabled target again, beginning at once with what waits for it."""
    await call.runtime.notifications.enable(call.path("name"), by=call.by)
    return {"targets": await call.runtime.notifications.targets()}


ROUTES = [
    route("GET", "/api/notifications", listing, LEAD),
    route("GET", "/api/notifications/targets", targets, LEAD),
    route("POST", "/api/notifications/targets/{name}/enable", enable, ADMIN),
]
