"""One try to deliver one notification, by the kind of its target. What goes wrong is an outcome, never an exception."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Protocol

from actors.http_client import get_async_client
from actors.jobs.notification_texts import rendered
from actors.jobs.notifications import Notification, Outcome
from actors.jobs.notify_options import NotificationTarget
from actors.notification_targets.command import run
from actors.notification_targets.webhook import SECONDS, post
from logconf import bind_correlation_id, new_correlation_id


class Send(Protocol):
    """Sends a notification to its target, once."""

    async def __call__(self, notification: Notification, target: NotificationTarget) -> Outcome:
        """What came of it."""


OpenSender = Callable[[], AbstractAsyncContextManager[Send]]
"""Opens what sends, for as long as its block."""


def sender(now: Callable[[], datetime]) -> OpenSender:
    """The sender to the world outside; ``now``: the wall clock, for the time in a signature."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Send]:
        async with get_async_client(timeout=SECONDS) as client:

            async def send(notification: Notification, target: NotificationTarget) -> Outcome:
                content, media = rendered(notification.body, target.format)
                with bind_correlation_id(notification.correlation_id or new_correlation_id()):
                    if target.command is not None:
                        return await run(target.command, content)
                    return await post(client, target, notification.message_id, content, media, now())

            yield send

    return opened
