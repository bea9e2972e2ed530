"""How each provider stands: what it can do, whether it is asked, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from actors.ledger.ledger import Ledger
from actors.providers.base import Capabilities
from actors.providers.breaker import Breaker, BreakerState
from actors.providers.guard import GuardedProvider
from actors.store import gates


@attrs.frozen
class BreakerView:
    """A circuit breaker at one moment.

    ``opened``: how often it opened since the start. ``retry_after``: seconds for which it stays open, 0 where calls may
    pass. ``why``: the failure that opened it last, "" where none did.
    """

    state: BreakerState
    opened: int
    retry_after: float
    why: str

    @classmethod
    def of(cls, breaker: Breaker) -> BreakerView:
        """``breaker`` as it is now."""
        return cls(breaker.state, breaker.opened, breaker.retry_after, breaker.why)


@attrs.frozen
class ProviderView:
    """A configured provider. ``kind``: None where a program gave it. ``gate``: why nothing is dispatched there now.

    ``checked``: it was asked just now whether it answers; ``fault``: what is wrong, in one line, None where nothing is.
    """

    name: str
    kind: str | None
    capabilities: Capabilities
    breaker: BreakerView
    gate: str | None
    checked: bool
    fault: str | None


async def provider_views(
    ledger: Ledger,
    providers: Mapping[str, GuardedProvider],
    kinds: Mapping[str, str],
    faults: Mapping[str, str | None],
    now: datetime,
) -> list[ProviderView]:
    """All of ``providers`` by name, in the configured order; ``kinds`` says of which kind each is.

    ``faults``: what is wrong with those that were asked.
    """
    closed = await ledger.read(gates.closed, providers, now)
    return [
        ProviderView(
            name,
            kinds.get(name),
            provider.capabilities,
            BreakerView.of(provider.breaker),
            None if (why := closed[name]) is None else why.reason,
            name in faults,
            faults.get(name),
        )
        for name, provider in providers.items()
    ]


def unhealthy(providers: Mapping[str, GuardedProvider]) -> list[str]:
    """A reason for each provider whose breaker is open."""
    return [
        f"provider {name} is left alone for {breaker.retry_after:.0f} s: {breaker.why}"
        for name, provider in providers.items()
        if (breaker := provider.breaker).state is BreakerState.OPEN
    ]
