"""Makes one try to deliver one notification, in the way of its target.

A failure is returned as an outcome, never raised.

The HTTP client is imported when it is first needed, because most runtimes have no target.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

import attrs
import trio

from actors.jobs.notification_texts import rendered
from actors.jobs.notifications import Notification, Outcome
from actors.jobs.notify_options import NotificationTarget
from actors.notification_targets.command import run
from logconf import bind_correlation_id, new_correlation_id


class Send(Protocol):
    """A function that sends one notification to its target, once."""

    async def __call__(self, notification: Notification, target: NotificationTarget) -> Outcome:
        """Return the outcome of this try."""


OpenSender = Callable[[], AbstractAsyncContextManager[Send]]
"""Returns a context manager that gives a :class:`Send` for the length of its block."""


@attrs.define
class _Sender:
    """Sends over the network and to commands. It makes one HTTP client, when the first URL is to be requested."""

    _now: Callable[[], datetime]
    _opened: AsyncExitStack
    _webhook: Any = None
    _client: Any = None
    _turn: trio.Lock = attrs.field(factory=trio.Lock)

    async def __call__(self, notification: Notification, target: NotificationTarget) -> Outcome:
        content, media = rendered(notification.body, target.format)
        with bind_correlation_id(notification.correlation_id or new_correlation_id()):
            if target.command is not None:
                return await run(target.command, content)
            await self._open_client()
            message_id, now = notification.message_id, self._now()
            found: Outcome = await self._webhook.post(self._client, target, message_id, content, media, now)
            return found

    async def _open_client(self) -> None:
        async with self._turn:
            if self._client is None:
                module = "actors.notification_targets.webhook"
                self._webhook = await trio.to_thread.run_sync(importlib.import_module, module)
                self._client = await self._opened.enter_async_context(self._webhook.open_client())


def sender(now: Callable[[], datetime]) -> OpenSender:
    """Open a sender that uses the network and starts commands.

    ``now`` is the wall clock, for the time in a signature.
    """

    @asynccontextmanager
    async def opened() -> AsyncIterator[Send]:
        async with AsyncExitStack() as stack:
            yield _Sender(now, stack)

    return opened
