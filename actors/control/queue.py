"""What people and programs ask about the queue: what waits and why, its order, its limits, pausing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from actors.control.context import Subject
from actors.jobs import maxima
from actors.jobs.activity import Activity
from actors.jobs.options import SEPARATE, Limits
from actors.jobs.views import QueueView
from actors.ledger import limits as run_time_limits
from actors.ledger import listing
from actors.ledger.page_request import PageRequest
from actors.store import queue as queue_rows


class Queue(Subject):
    """The queue of one runtime. A change holds for the next dispatch and after a restart."""

    async def view(
        self, *, limit: int = maxima.ROWS, user_id: str | None = None, cursor: str | None = None, caller: str = ""
    ) -> QueueView:
        """What waits and why, a page as :meth:`Jobs.page` has it, all pages ordered as of the first one's instant.

        ``user_id``: only this user's entries, in their places among all.
        """
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(listing.queue_view, request, user_id, self._context.for_decision)

    async def activity(self, user_id: str | None = None) -> Activity:
        """What ended in each minute of the last hour, and how many waited and ran; ``user_id``: only this user's."""
        return await self._ledger.read(listing.activity_view, user_id, self._context.clock.now())

    async def is_idle(self) -> bool:
        """Whether nothing is pending or running; blocked jobs do not count, nor those that wait for blocked ones."""
        return not await self._ledger.read(queue_rows.goes_on)

    async def limits(self) -> tuple[Limits, Mapping[str, str]]:
        """The limits in force, and where those that were not configured come from.

        ``stored``: changed at run time; ``default``: of a provider with limits of its own that has none configured.
        """
        limits, sources = await self._ledger.read(run_time_limits.limits_view, self._ledger.limits)
        separate = [name for name, one in self._context.providers.items() if one.capabilities.separate_limits]
        own = {name: SEPARATE for name in separate if name not in limits.per_provider}
        limits = attrs.evolve(limits, per_provider={**own, **limits.per_provider})
        return limits, {**sources, **{f"per_provider.{name}": "default" for name in own}}

    async def set_limit(self, name: str, value: int, *, by: str | None = None) -> Limits:
        """Change a limit now and keep it (B10). ``name``: a field of :class:`Limits`, or ``per_provider.NAME`` of a
        provider that is configured.
        """
        run_time_limits.check_known(name, self._context.providers)
        await self._ledger.write(run_time_limits.set_limit, name, value, by=by)
        return (await self.limits())[0]

    async def reset_limits(self, names: Iterable[str] = (), *, by: str | None = None) -> Limits:
        """Forget what was changed at run time; all of it, where no name is given."""
        await self._ledger.write(run_time_limits.reset_limits, tuple(names), by=by)
        return (await self.limits())[0]

    async def pause(self, provider: str | None, reason: str, *, by: str | None = None) -> None:
        """Dispatch nothing to a provider, or (None) nothing at all, until it is resumed; kept over a restart."""
        if provider is not None:
            self._context.provider(provider)
        await self._ledger.write(run_time_limits.pause, provider, reason=reason, by=by)

    async def resume(self, provider: str | None, *, by: str | None = None) -> None:
        """Dispatch to a paused or closed provider again; None: to all that are not paused by themselves.

        The circuit breaker of the one that is named is not waited for: a few calls try it out at once.
        """
        if provider is not None:
            self._context.provider(provider).breaker.half_open()
        await self._ledger.write(run_time_limits.resume, provider, by=by)
