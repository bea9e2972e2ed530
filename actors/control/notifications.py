"""Operations on notifications: list them and their targets, enable a target again."""

from __future__ import annotations

from actors.control.context import Subject
from actors.jobs.notifications import Notification, NotificationState
from actors.jobs.pages import Page
from actors.jobs.views import TargetView
from actors.ledger import notifications as verbs
from actors.ledger.page_request import PageRequest

MOST_FAILURES = 5
"""Cycles of the notifier that may fail in a row before health says so."""


class Notifications(Subject):
    """The outbox of one runtime: the notifications that it sends."""

    async def page(
        self,
        *,
        target: str | None = None,
        state: NotificationState | None = None,
        limit: int = 100,
        cursor: str | None = None,
        caller: str = "",
    ) -> Page[Notification]:
        """A page of notifications, newest first, like :meth:`Jobs.page`."""
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(verbs.page, request, target, state)

    async def targets(self) -> list[TargetView]:
        """The configured targets, and others for which notifications wait, by name."""
        return await self._ledger.read(verbs.targets, self._ledger.outbox.options)

    async def enable(self, name: str, *, by: str) -> None:
        """Send to a disabled target again, beginning with what waits for it. Raises :class:`Refused` for an unknown
        one.
        """
        await self._ledger.write(verbs.enable, name, self._ledger.outbox.options.targets, by=by)

    async def unhealthy(self) -> list[str]:
        """A reason for each target that is disabled, and one if the notifier fails again and again."""
        failures = self._ledger.outbox.failures
        failing = [f"notifications are not sent: the last {failures} cycles of the notifier failed; see the log"]
        return [*(failing if failures >= MOST_FAILURES else []), *await self._ledger.read(verbs.unhealthy)]
