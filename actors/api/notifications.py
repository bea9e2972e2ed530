"""Routes about notifications: what became of them, their targets."""

from __future__ import annotations

from actors.access.permission import ADMIN, LEAD
from actors.api.answers import page_document
from actors.api.bodies import NotificationsQuery
from actors.api.route import Call, Nothing, route
from actors.documents.notifications import (
    NotificationsDocument,
    TargetsDocument,
    notification_document,
    targets_document,
)


async def listing(call: Call[Nothing, NotificationsQuery]) -> NotificationsDocument:
    """A page of notifications, newest first."""
    asked = call.query
    found = await call.reading.notifications.page(
        target=asked.target, state=asked.state, limit=asked.limit, cursor=asked.cursor, caller=call.by
    )
    return page_document(NotificationsDocument, "notifications", found, notification_document)


async def targets(call: Call[Nothing, Nothing]) -> TargetsDocument:
    """The targets, what waits for them, and which are disabled."""
    return targets_document(await call.reading.notifications.targets())


async def enable(call: Call[Nothing, Nothing]) -> TargetsDocument:
    """Send to a disabled target again, at once what waits for it."""
    await call.runtime.notifications.enable(call.path("name"), by=call.by)
    return targets_document(await call.runtime.notifications.targets())


ROUTES = [
    route("GET", "/api/notifications", listing, LEAD),
    route("GET", "/api/notifications/targets", targets, LEAD),
    route("POST", "/api/notifications/targets/{name}/enable", enable, ADMIN),
]
