"""Operations on the queue: why jobs wait, in which order; limits; pausing."""

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
    """The queue of one runtime. Changes apply from the next dispatch on, also after a restart."""

    async def view(
        self, *, limit: int = maxima.ROWS, user_id: str | None = None, cursor: str | None = None, caller: str = ""
    ) -> QueueView:
        """A page of waiting entries with their reasons, like :meth:`Jobs.page`; all pages are ordered as of the first
        one.

        ``user_id``: only this user's entries, with their places among all.
        """
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(listing.queue_view, request, user_id, self._context.for_decision)

    async def activity(self, user_id: str | None = None) -> Activity:
        """How many jobs ended, waited and ran in each minute of the last hour; ``user_id``: only this user's."""
        return await self._ledger.read(listing.activity_view, user_id, self._context.clock.now())

    async def is_idle(self) -> bool:
        """Whether nothing is pending or running. Blocked jobs do not count, and jobs that wait for blocked ones
        neither.
        """
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
        """Change a limit from now on, also after a restart (B10).

        ``name``: a field of :class:`Limits`, or ``per_provider.NAME`` of a configured provider. Raises
        :class:`Refused`.
        """
        run_time_limits.check_known(name, self._context.providers)
        await self._ledger.write(run_time_limits.set_limit, name, value, by=by)
        return (await self.limits())[0]

    async def reset_limits(self, names: Iterable[str] = (), *, by: str | None = None) -> Limits:
        """Remove changes that were made at run time: of the limits ``names``, or of all if none is given."""
        await self._ledger.write(run_time_limits.reset_limits, tuple(names), by=by)
        return (await self.limits())[0]

    async def pause(self, provider: str | None, reason: str, *, by: str | None = None) -> None:
        """Dispatch no jobs to a provider, or (None) to any, until it is resumed, also after a restart."""
        if provider is not None:
            self._context.provider(provider)
        await self._ledger.write(run_time_limits.pause, provider, reason=reason, by=by)

    async def resume(self, provider: str | None, *, by: str | None = None) -> None:
        """Dispatch jobs to a paused or closed provider again; None: to all that were not paused by name.

        The named provider's circuit breaker allows calls at once: a few calls find out whether it works.
        """
        if provider is not None:
            self._context.provider(provider).breaker.half_open()
        await self._ledger.write(run_time_limits.resume, provider, by=by)
