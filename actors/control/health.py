"""Whether a runtime works, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import attrs

from actors.control.context import Context
from actors.control.notifications import Notifications
from actors.control.providers import Providers
from actors.control.tree import Tree
from actors.ledger import rules
from actors.store import holds, jobs, restored, running


@attrs.frozen
class Health:
    """Whether the runtime works. ``status``: ``ok``, or ``degraded``: it works, but a person should look at it.

    ``reasons``: why it is degraded. ``notes``: what is worth knowing, but is no fault. ``started_at``: when it became
    ready.
    """

    status: str
    reasons: tuple[str, ...]
    uncertain_jobs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    started_at: datetime | None = None


@attrs.define(eq=False)
class HealthCheck:
    """Checks store, tree, providers and targets. ``more``: further reasons, which the actors report themselves."""

    _context: Context
    _tree: Tree
    _providers: Providers
    _notifications: Notifications
    _more: Callable[[], Iterable[str]]
    _started_at: datetime | None = attrs.field(default=None, init=False)
    _ready: float = attrs.field(default=0.0, init=False)

    def began(self) -> None:
        """The runtime is ready."""
        self._started_at, self._ready = self._context.clock.now(), self._context.clock.steady()

    @property
    def uptime(self) -> float:
        """Seconds since the runtime became ready."""
        return self._context.clock.steady() - self._ready

    async def check(self) -> Health:
        """The health of the runtime now. Raises :class:`~actors.store.errors.StoreError`."""
        ledger = self._context.ledger
        reasons = [*ledger.store.reasons, *self._tree.unhealthy(), *self._providers.unhealthy(), *self._more()]
        reasons += await self._notifications.unhealthy()
        uncertain = tuple(await ledger.read(jobs.uncertain))
        if uncertain:
            reasons.append(f"{len(uncertain)} job(s) are uncertain: settle them")
        for provider, number in (await ledger.read(restored.numbers_to_look_up)).items():
            there = (
                "there"
                if provider in self._context.providers
                else f"there: put providers.{provider} back, or settle them"
            )
            reasons.append(f"{number} restored job(s) of provider {provider} are still to be looked up {there}")
        for provider, number in (await ledger.read(running.numbers_at)).items():
            if provider not in self._context.providers:
                where = f"provider {provider}, which is not configured"
                reasons.append(f"{number} job(s) are at {where}: put providers.{provider} back until they have ended")
        notes = tuple(await ledger.read(rules.ignored_overrides, ledger.configured_rules))
        if (hold := await ledger.read(holds.current)) is not None:
            text = f"nothing is removed by its age: {hold.in_words()}"
            if hold.warned:  # a hold is a fault only where it keeps something
                reasons.append(text)
            else:
                notes += (text,)
        return Health("degraded" if reasons else "ok", tuple(reasons), uncertain, notes, self._started_at)
