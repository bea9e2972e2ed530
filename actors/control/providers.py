"""The state of the configured providers."""

from __future__ import annotations

from collections.abc import Mapping

from actors.control.context import Context
from actors.ledger.provider_views import ProviderView, provider_views, unhealthy
from actors.providers.guard import GuardedProvider
from actors.providers.planning import check_all


class Providers:
    """The providers of one runtime. ``guarded``: by name, each behind its guard and circuit breaker.

    ``kinds``: the kind of each in the configuration; a provider that a program gave has none.
    """

    def __init__(self, context: Context, kinds: Mapping[str, str]) -> None:
        self._context = context
        self._kinds = kinds

    @property
    def guarded(self) -> Mapping[str, GuardedProvider]:
        """Each provider behind its guard and circuit breaker, by name."""
        return self._context.providers

    async def views(self, *, check: bool = False) -> list[ProviderView]:
        """Each provider: its abilities, its circuit breaker, and why it gets no jobs now.

        ``check``: also ask each of them whether it answers and accepts its credentials, within 15 s.
        """
        faults = await check_all(self.guarded) if check else {}
        now = self._context.clock.now()
        return await provider_views(self._context.ledger, self.guarded, self._kinds, faults, now)

    def unhealthy(self) -> list[str]:
        """A reason for each provider whose circuit breaker is open."""
        return unhealthy(self.guarded)

    async def aclose(self) -> None:
        """Release what the providers hold; jobs go on."""
        for provider in self.guarded.values():
            await provider.aclose()
